//! Draws the plot and the gallery of `flowmask evaluate`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use flowmask::image::{EXTENSIONS, read_labels};
use flowmask::metrics::{Evaluation, Method, THRESHOLDS};
use flowmask::output::Destination;
use flowmask::report::{Curve, Figure, Gallery, ap_curves};
use flowmask::{Image, Result};

use super::pairs::Pair;

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
/// each method. Returns a message for each image in the folder `images` that could not be shown.
pub fn save(
    outputs: Outputs,
    evaluation: &Evaluation,
    pairs: &[&[Pair]],
    images: Option<&Path>,
) -> Result<Vec<String>> {
    let plot = plot(evaluation);
    plot.save_svg(outputs.to("ap.svg"))?;
    plot.save_png(outputs.to("ap.png"), 2.0)?;
    let methods = &evaluation.methods;
    let names = methods.iter().map(|method| method.name.as_str());
    let count = pairs.iter().map(|pairs| pairs.len()).max().unwrap_or(0);
    let mut gallery = Gallery::new(names, &THRESHOLDS, count);
    let (mut images, mut problems) = (Images::new(images), Vec::new());
    for (m, (method, pairs)) in methods.iter().zip(pairs).enumerate() {
        add(&mut gallery, m, method, pairs, &mut images, &mut problems)?;
    }
    gallery.save_html(outputs.to("gallery.html"), "Segmentations against the truth", &plot)?;
    let names: Vec<String> = methods.iter().map(|method| method.name.clone()).collect();
    for (m, file) in file_names(&names).iter().enumerate() {
        for (i, sheet) in gallery.sheets(m).iter().enumerate() {
            let number = if i == 0 { String::new() } else { format!("_{}", i + 1) };
            sheet.save_png(outputs.to(&format!("gallery_{file}{number}.png")), 1.0)?;
        }
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
    problems: &mut Vec<String>,
) -> Result<()> {
    let scores: HashMap<&str, &[f64]> =
        method.images.iter().map(|image| (image.name.as_str(), &image.ap[..])).collect();
    for pair in pairs {
        let Some(ap) = scores.get(pair.name.as_str()) else { continue };
        let (truth, pred) = (read_labels(&pair.truth)?, read_labels(&pair.pred)?);
        if !gallery.contains(&pair.name) {
            let image = images.of(pair, truth.dim()).unwrap_or_else(|problem| {
                problems.push(problem);
                None
            });
            gallery.add_truth(&pair.name, image.as_ref(), truth.view())?;
        }
        gallery.add_prediction(&pair.name, m, pred.view(), ap)?;
    }
    Ok(())
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

    /// The image with the name of a pair. A folder that the user named must have it. Without such a folder, an image beside
    /// the truth is used if it has the right size.
    fn of(&mut self, pair: &Pair, size: (usize, usize)) -> std::result::Result<Option<Image>, String> {
        let dir = self.dir.or(pair.truth.parent()).unwrap_or(Path::new(""));
        let files = self.known.entry(dir.into()).or_insert_with(|| list(dir));
        let image = match files.get(&pair.name).filter(|path| **path != pair.truth) {
            Some(path) => Image::open(path).map_err(|error| error.to_string()).and_then(|image| {
                let found = (image.height(), image.width());
                let sizes = format!("{} by {} instead of {} by {}", found.0, found.1, size.0, size.1);
                let wrong = format!("{}: another size than its true label image: {sizes}", path.display());
                if found == size { Ok(image) } else { Err(wrong) }
            }),
            None => Err(format!("{}: has no image named {}", dir.display(), pair.name)),
        };
        match (image, self.dir) {
            (Err(_), None) => Ok(None),
            (image, _) => image.map(Some),
        }
    }
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
        EXTENSIONS.contains(&extension.as_str())
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
