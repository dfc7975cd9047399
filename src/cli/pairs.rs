//! Pairs the label images of two folders, truth and prediction, by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use flowmask::image::LABEL_EXTENSIONS;

use super::reports::is_report;

/// Endings of the names of label images: those of flowmask and of cellpose, and common ones. An ending stands before any
/// shorter one that it ends in.
const SUFFIXES: [&str; 7] = ["_masks_stitched", "_cp_masks", "_labels", "_masks", "_label", "_mask", "_seg"];

/// The label images of a folder, by the name of the image that each belongs to. Two files with the same name are an error
/// when they are paired.
#[derive(Debug)]
pub struct Labels {
    dir: PathBuf,
    files: BTreeMap<String, Vec<PathBuf>>,
}

/// The two label images of one image.
#[derive(Debug, PartialEq)]
pub struct Pair {
    pub name: String,
    pub truth: PathBuf,
    pub pred: PathBuf,
}

impl Labels {
    /// Lists the label images of a folder. With a `suffix`, these are the files whose names end in it. Without one, they
    /// are the files that end in one of [`SUFFIXES`] or, if there are none, all files: so images beside their label images
    /// are ignored. The ending is not part of the image's name.
    pub fn list(dir: &Path, suffix: Option<&str>) -> anyhow::Result<Self> {
        let cannot = |error| anyhow!("cannot read {}: {error}", dir.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if is_label(&path) {
                paths.push(path);
            }
        }
        paths.sort();
        let named = |suffixes: &[&str]| {
            let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
            for path in &paths {
                let stem = stem(path);
                let short = suffixes.iter().find_map(|suffix| stem.strip_suffix(suffix));
                if let Some(name) = short.filter(|name| !name.is_empty()) {
                    files.entry(name.into()).or_default().push(path.clone());
                }
            }
            files
        };
        let mut files = suffix.map_or_else(|| named(&SUFFIXES), |suffix| named(&[suffix]));
        if files.is_empty() && suffix.is_none() {
            files = named(&[""]);
        }
        if files.is_empty() {
            let ending = suffix.map(|suffix| format!(" whose names end in {suffix}")).unwrap_or_default();
            return Err(anyhow!("{}: has no label images{ending}", dir.display()));
        }
        Ok(Labels { dir: dir.into(), files })
    }

    /// Pairs the truth with predictions, in natural order of their names (`im2` before `im10`). Also returns a message for
    /// each file without a partner, and for each name that several files have.
    pub fn pair(&self, pred: &Labels) -> (Vec<Pair>, Vec<String>) {
        let names: BTreeSet<_> = self.files.keys().chain(pred.files.keys()).collect();
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by(|a, b| natord::compare(a, b));
        let (mut pairs, mut problems) = (Vec::new(), Vec::new());
        for name in names {
            match (self.only(name), pred.only(name)) {
                (Err(problem), _) | (_, Err(problem)) => problems.push(problem),
                (Ok(Some(truth)), Ok(Some(pred))) => {
                    pairs.push(Pair { name: name.clone(), truth: truth.into(), pred: pred.into() });
                }
                (Ok(Some(truth)), Ok(None)) => problems.push(alone(truth, "prediction", &pred.dir)),
                (Ok(None), Ok(Some(pred))) => problems.push(alone(pred, "truth", &self.dir)),
                (Ok(None), Ok(None)) => {}
            }
        }
        (pairs, problems)
    }

    fn only(&self, name: &str) -> Result<Option<&Path>, String> {
        match self.files.get(name).map_or(&[][..], Vec::as_slice) {
            [] => Ok(None),
            [path] => Ok(Some(path)),
            [path, other, ..] => Err(format!(
                "{} and {} are both label images of {name}: keep one, or choose by the ending (--truth-suffix, --pred-suffix)",
                path.display(),
                other.display()
            )),
        }
    }

    /// The first name, as an example in a message.
    pub fn example(&self) -> &str {
        self.files.keys().next().map_or("", String::as_str)
    }
}

fn alone(path: &Path, what: &str, dir: &Path) -> String {
    format!("{}: no {what} with this name in {}", path.display(), dir.display())
}

/// The name of the image that a label file belongs to: that of the file without one of [`SUFFIXES`].
pub fn image_name(labels: &Path) -> String {
    let stem = stem(labels);
    let short = SUFFIXES.iter().find_map(|suffix| stem.strip_suffix(suffix)).filter(|name| !name.is_empty());
    short.map_or(stem.clone(), String::from)
}

/// Whether the name of a file ends as those of label images do.
pub fn is_named_labels(path: &Path) -> bool {
    SUFFIXES.iter().any(|suffix| stem(path).ends_with(suffix))
}

/// Whether a file can be a label image. Files whose names begin with a dot are not: on foreign disks, macOS puts a
/// `._NAME.png` beside each file. Neither are the pictures that an earlier run wrote.
fn is_label(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let named = LABEL_EXTENSIONS.contains(&extension.as_str()) && !stem(path).starts_with('.');
    named && path.is_file() && !is_report(path)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::inputs::tests::dir_with;
    use super::*;

    fn names(files: &[&str], suffix: Option<&str>) -> Vec<String> {
        let dir = dir_with(files);
        Labels::list(dir.path(), suffix).unwrap().files.into_keys().collect()
    }

    #[test]
    fn the_longest_ending_is_removed_and_other_files_are_ignored() {
        let files = ["a.png", "a_labels.png", "b_cp_masks.TIF", "c_seg.npy", "._d_masks.png", "e_masks.txt"];
        assert_eq!(names(&files, None), ["a", "b", "c"]);
        assert_eq!(names(&["a.png", "b.npy", "c.jpg"], None), ["a", "b"]);
        assert_eq!(names(&["a_x.png", "a_masks.png", "_x.png"], Some("_x")), ["a"]);
        assert_eq!(names(&["a_masks.png", "a.png"], Some("")), ["a", "a_masks"]);
        let dir = dir_with(&["a_masks.png"]);
        let error = Labels::list(dir.path(), Some("_x")).unwrap_err().to_string();
        assert!(error.ends_with("has no label images whose names end in _x"), "{error}");
    }

    #[test]
    fn names_are_paired_in_natural_order_and_files_without_a_partner_are_problems() {
        let truth = dir_with(&["im10_labels.png", "im2_labels.png", "im3_labels.png", "two_labels.png"]);
        let pred =
            dir_with(&["im2_masks.tif", "im10_seg.npy", "im4_masks.tif", "two_masks.tif", "two_seg.npy"]);
        let truth = Labels::list(truth.path(), None).unwrap();
        let (pairs, problems) = truth.pair(&Labels::list(pred.path(), None).unwrap());
        assert_eq!(pairs.iter().map(|pair| &pair.name).collect::<Vec<_>>(), ["im2", "im10"]);
        assert!(pairs[1].truth.ends_with("im10_labels.png") && pairs[1].pred.ends_with("im10_seg.npy"));
        let [three, four, two] = &problems[..] else { panic!("{problems:?}") };
        assert!(three.contains("im3_labels.png: no prediction"), "{three}");
        assert!(four.contains("im4_masks.tif: no truth"), "{four}");
        assert!(two.contains("two_masks.tif and ") && two.contains("two_seg.npy"), "{two}");
    }
}
