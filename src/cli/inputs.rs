//! Turns the inputs of a command (files, folders and patterns) into a list of image files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use flowmask::{Error, Result, image};

use super::reports::is_report;

/// Endings, before the extension, of files that flowmask and cellpose write. Cellpose's mask and outline images end in
/// `_cp_masks`.
const OUTPUTS: [&str; 8] =
    ["_masks", "_overlay", "_cp_output", "_flows", "_flows_0", "_flows_1", "_flows_2", "_cellprob"];

/// The images that were found, and the inputs that gave none, with the reason.
#[derive(Debug, Default)]
pub struct Found {
    pub images: Vec<PathBuf>,
    pub failed: Vec<(PathBuf, Error)>,
}

/// Like [`find`], but to find no image at all is an error.
pub fn find_some(inputs: &[PathBuf], suffix: Option<&str>) -> anyhow::Result<Found> {
    let found = find(inputs, suffix);
    if found.images.is_empty() {
        let errors: Vec<_> = found.failed.iter().map(|(_, error)| error.to_string()).collect();
        let none = errors.is_empty().then_some("no input has a name that ends in the --img-filter");
        anyhow::bail!("{}", none.map_or(errors.join("; "), Into::into));
    }
    Ok(found)
}

/// Lists the images in the order of `inputs`, each of them once. The images of a folder or pattern are in natural order
/// (`im2` before `im10`).
pub fn find(inputs: &[PathBuf], suffix: Option<&str>) -> Found {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for input in inputs {
        match list(input, suffix) {
            Ok(images) => {
                let new = |image: &PathBuf| seen.insert(image.canonicalize().unwrap_or(image.clone()));
                found.images.extend(images.into_iter().filter(new));
            }
            Err(error) => found.failed.push((input.clone(), error)),
        }
    }
    found
}

/// The images that one input stands for.
fn list(input: &Path, suffix: Option<&str>) -> Result<Vec<PathBuf>> {
    let fits = |path: &Path| suffix.is_none_or(|suffix| stem(path).ends_with(suffix));
    let candidates = match fs::metadata(input) {
        Ok(metadata) if metadata.is_dir() => folder(input)?,
        // A file that the user names is taken even if it does not look like an image; reading it gives the error. Only
        // the filter applies, because the shell may have expanded a pattern.
        Ok(_) => return Ok(if fits(input) { vec![input.into()] } else { vec![] }),
        Err(_) if is_pattern(input) => pattern(input)?,
        Err(error) => return Err(cannot_read(input, error)),
    };
    let mut images: Vec<_> = candidates.into_iter().filter(|path| is_image(path) && fits(path)).collect();
    if images.is_empty() {
        let named = suffix.map(|suffix| format!(" whose names end in {suffix}")).unwrap_or_default();
        return Err(wrong(input, format!("has no images{named}")));
    }
    images.sort_by(|a, b| natord::compare(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(images)
}

fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(path).map_err(|error| cannot_read(path, error))?;
    entries.map(|entry| Ok(entry.map_err(|error| cannot_read(path, error))?.path())).collect()
}

fn pattern(path: &Path) -> Result<Vec<PathBuf>> {
    let text = path.to_str().ok_or_else(|| wrong(path, "the pattern is not UTF-8"))?;
    let matches = glob::glob(text).map_err(|error| wrong(path, error))?;
    matches.map(|entry| entry.map_err(|e| Error::Read { path: e.path().into(), source: e.into() })).collect()
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// Whether a file in a folder is an image to segment. Files whose names begin with a dot are not: on foreign disks, macOS
/// puts a `._NAME.png` beside each file.
fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = stem(path);
    let is_output =
        OUTPUTS.iter().any(|ending| stem.ends_with(ending)) || (extension == "npy" && stem.ends_with("_seg"));
    let is_output = is_output || is_report(path);
    image::EXTENSIONS.contains(&extension.as_str()) && !stem.starts_with('.') && !is_output && path.is_file()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn cannot_read(path: &Path, source: io::Error) -> Error {
    Error::Read { path: path.into(), source }
}

fn wrong(path: &Path, reason: impl ToString) -> Error {
    Error::ImageFile { path: path.into(), reason: reason.to_string() }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A folder with empty files of these names.
    pub fn dir_with(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| fs::write(dir.path().join(name), "").unwrap());
        dir
    }

    fn names(found: &Found) -> Vec<String> {
        found.images.iter().map(|i| i.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_folder_is_its_images_in_natural_order_without_outputs() {
        let dir = dir_with(&[
            "im10.png",
            "im2.PNG",
            "im1.tif",
            "im1_masks.tif",
            "im1_overlay.png",
            "im1_cp_masks.png",
            "im1_flows_0.tif",
            "im1_seg.npy",
            "._im1.png",
            "notes.txt",
        ]);
        fs::create_dir(dir.path().join("deeper.png")).unwrap();
        let found = find(&[dir.path().into()], None);
        assert_eq!(names(&found), ["im1.tif", "im2.PNG", "im10.png"]);
    }

    #[test]
    fn a_pattern_and_a_filter_choose_by_name_and_nothing_is_taken_twice() {
        let dir = dir_with(&["a_dapi.png", "b_dapi.png", "b_gfp.png", "c_dapi_masks.png"]);
        let at = |name: &str| dir.path().join(name);
        assert_eq!(names(&find(&[at("b*.png")], None)), ["b_dapi.png", "b_gfp.png"]);
        assert_eq!(names(&find(&[dir.path().into()], Some("_dapi"))), ["a_dapi.png", "b_dapi.png"]);
        let twice = [at("b_gfp.png"), at("?_*.png"), dir.path().join(".").join("b_gfp.png")];
        assert_eq!(names(&find(&twice, None)), ["b_gfp.png", "a_dapi.png", "b_dapi.png"]);
    }

    #[test]
    fn a_file_that_is_named_is_taken_even_when_it_looks_like_an_output() {
        let dir = dir_with(&["a_masks.tif", "b.xyz"]);
        let found = find(&[dir.path().join("a_masks.tif"), dir.path().join("b.xyz")], None);
        assert_eq!(names(&found), ["a_masks.tif", "b.xyz"]);
        assert!(find(&found.images, Some("_dapi")).images.is_empty());
    }

    #[test]
    fn an_input_without_images_is_an_error_and_the_others_stay() {
        let dir = dir_with(&["a.png"]);
        let found = find(&[dir.path().join("missing.png"), dir.path().join("a.png")], None);
        assert_eq!(names(&found), ["a.png"]);
        assert!(found.failed[0].1.to_string().contains("missing.png"));
        for wrong in ["[", "*.tif", "x[.png"] {
            assert_eq!(find(&[dir.path().join(wrong)], None).failed.len(), 1, "{wrong}");
        }
    }
}
