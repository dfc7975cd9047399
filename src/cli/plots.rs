//! Draws the plot and the gallery of `flowmask evaluate`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use flowmask::image::{self, EXTENSIONS};
use flowmask::metrics::{Evaluation, Method, THRESHOLDS};
use flowmask::output::Destination;
use flowmask::report::{Curve, Figure, Gallery, ap_curves};
use flowmask::{Image, Result};
use ndarray::{ArrayView3, Axis};
use rayon::prelude::*;

use super::args;
use super::compared::{Compared, planes as words};
use super::pairs::Pair;
use super::reports::is_report;

/// Where the files of an evaluation are written, and what they may replace.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    pub dir: &'a Path,
    pub overwrite: bool,
}

impl Outputs<'_> {
    pub fn to(&self, name: &str) -> Destination {
        Destination::new(self.dir.join(name)).overwrite(self.overwrite)
    }

    /// Checks the files that are known before anything is scored. `methods` are the names of the methods.
    pub fn check(&self, methods: &[String]) -> Result<()> {
        let sheets = file_names(methods).into_iter().map(|name| format!("gallery_{name}.png"));
        let others = ["evaluate.csv", "evaluate.json", "ap.svg", "ap.png", "gallery.html"].map(String::from);
        sheets.chain(others).try_for_each(|name| self.to(&name).check())
    }
}

/// Writes `ap.svg`, `ap.png`, `gallery.html` and a sheet `gallery_METHOD.png` for each method. `pairs` has the pairs of
/// each method. Returns a message for each image that could not be shown.
pub fn save(
    outputs: Outputs,
    evaluation: &Evaluation,
    pairs: &[&[Pair]],
    args: &args::Evaluate,
) -> Result<Vec<String>> {
    let plot = plot(evaluation);
    plot.save_svg(outputs.to("ap.svg"))?;
    plot.save_png(outputs.to("ap.png"), 2.0)?;
    let methods = &evaluation.methods;
    let names = methods.iter().map(|method| method.name.as_str());
    let count = methods.iter().map(|method| method.images.len()).max().unwrap_or(0);
    let mut gallery = Gallery::new(names, &THRESHOLDS, count);
    let (mut images, mut problems) = (Images::new(args.images.as_deref()), Vec::new());
    for (m, (method, pairs)) in methods.iter().zip(pairs).enumerate() {
        problems.extend(add(&mut gallery, m, method, pairs, &mut images, args.volumes));
    }
    gallery.save_html(outputs.to("gallery.html"), "Segmentations against the truth", &plot)?;
    let names: Vec<String> = methods.iter().map(|method| method.name.clone()).collect();
    for (m, file) in file_names(&names).iter().enumerate() {
        gallery.sheets(m).par_iter().enumerate().try_for_each(|(i, sheet)| {
            let number = if i == 0 { String::new() } else { format!("_{}", i + 1) };
            sheet.save_png(outputs.to(&format!("gallery_{file}{number}.png")), 1.0)
        })?;
    }
    problems.sort();
    problems.dedup();
    Ok(problems)
}

fn plot(evaluation: &Evaluation) -> Figure {
    let ap: Vec<Vec<f64>> = evaluation.methods.iter().map(Method::ap).collect();
    let names = evaluation.methods.iter().map(|method| method.name.as_str());
    let curve = |(name, ap)| Curve { name, thresholds: &THRESHOLDS, ap };
    let curves: Vec<Curve> = names.zip(ap.iter().map(Vec::as_slice)).map(curve).collect();
    ap_curves(&curves)
}

/// Adds the images of one method that were scored to the gallery.
fn add(
    gallery: &mut Gallery,
    m: usize,
    method: &Method,
    pairs: &[Pair],
    images: &mut Images,
    volumes: bool,
) -> Vec<String> {
    let scores: HashMap<&str, &[f64]> =
        method.images.iter().map(|image| (image.name.as_str(), &image.ap[..])).collect();
    let mut problems = Vec::new();
    for pair in pairs {
        let first = format!("{}[0]", pair.name);
        if !scores.contains_key(pair.name.as_str()) && !scores.contains_key(first.as_str()) {
            continue; // It was not scored, which has been said.
        }
        let compared = match Compared::read(pair, volumes) {
            Ok(compared) => compared,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let shown = if gallery.contains(&compared.name(0)) { Ok(None) } else { images.of(pair, &compared) };
        let planes = shown.unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        for i in 0..compared.len() {
            let name = compared.name(i);
            let Some(ap) = scores.get(name.as_str()) else { continue };
            let [truth, pred] =
                compared.image(i).map(|labels| labels.index_axis_move(Axis(0), middle(labels)));
            let image = planes.as_ref().and_then(|planes| planes.get(i));
            let added = gallery.add_truth(&name, image, truth);
            let added = added.and_then(|()| gallery.add_prediction(&name, m, pred, ap));
            problems.extend(added.err().map(|error| compared.about(i, &error)));
        }
    }
    problems
}

/// The plane that is shown of an image.
fn middle(labels: ArrayView3<u32>) -> usize {
    labels.dim().0 / 2
}

/// Finds images by their names without the extension.
struct Images<'a> {
    /// The folder that the user named with `--images`.
    dir: Option<&'a Path>,
    /// The images of each folder that was looked into.
    known: HashMap<PathBuf, HashMap<String, PathBuf>>,
}

impl<'a> Images<'a> {
    fn new(dir: Option<&'a Path>) -> Self {
        Images { dir, known: HashMap::new() }
    }

    /// The pictures of the images of a pair, from the file with its name. A folder that the user named must have it.
    /// Without such a folder, a file beside the truth is used if it has the right size.
    fn of(&mut self, pair: &Pair, labels: &Compared) -> std::result::Result<Option<Vec<Image>>, String> {
        let dir = self.dir.or(pair.truth.parent()).unwrap_or(Path::new(""));
        let files = self.known.entry(dir.into()).or_insert_with(|| list(dir));
        let planes = match files.get(&pair.name).filter(|path| **path != pair.truth) {
            Some(path) => read(path, labels),
            None => Err(format!("{}: has no image named {}", dir.display(), pair.name)),
        };
        match (planes, self.dir) {
            (Err(_), None) => Ok(None),
            (planes, _) => planes.map(Some),
        }
    }
}

/// The planes of an image file that are shown for its labels.
fn read(path: &Path, labels: &Compared) -> std::result::Result<Vec<Image>, String> {
    let planes = image::read(path).map_err(|error| error.to_string())?.planes;
    let [truth, _] = labels.image(0);
    let (depth, height, width) = truth.dim();
    if planes.len() != labels.len() * depth {
        let (found, wanted) = (words(planes.len()), words(labels.len() * depth));
        return Err(format!("{}: holds {found}, its true labels {wanted}", path.display()));
    }
    if let Some(plane) = planes.first().filter(|plane| plane.size() != (height, width)) {
        let sizes = format!("{} by {} instead of {height} by {width}", plane.height(), plane.width());
        return Err(format!("{}: another size than its true label image: {sizes}", path.display()));
    }
    Ok(planes.into_iter().skip(middle(truth)).step_by(depth).collect())
}

/// The images of a folder by name. A folder that cannot be read counts as empty.
fn list(dir: &Path) -> HashMap<String, PathBuf> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    // When several files have the same name, the first in alphabetical order is used.
    paths.sort_by(|a, b| b.cmp(a));
    let is_image = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        EXTENSIONS.contains(&extension.as_str()) && !is_report(path)
    };
    let named = |path: PathBuf| (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path);
    paths.into_iter().filter(is_image).map(named).collect()
}

/// The part of a file name for each method: without special characters, and all different.
fn file_names(methods: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let name = |(m, method): (usize, &String)| {
        let name: String = method.chars().map(plain).collect();
        if taken.insert(name.to_lowercase()) { name } else { format!("{name}_method{}", m + 1) }
    };
    methods.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_files_of_their_own() {
        let methods = ["ours", "../a b", "Ours", "ü"].map(String::from);
        assert_eq!(file_names(&methods), ["ours", "___a_b", "Ours_method3", "ü"]);
    }
}
