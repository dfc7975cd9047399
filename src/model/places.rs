//! Finds models by name: built-in models, those in the original's folder, and files with any path.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::builtin::{BUILT_IN, BuiltIn};
use super::original;
use crate::{Error, Result, folders};

/// The prefix of the names of the original's models.
pub(super) const ORIGINAL: &str = "cellpose:";

/// The original's models whose files have another name than the model.
const FILES: [(&str, &str); 3] =
    [("cyto", "cytotorch_0"), ("cyto2", "cyto2torch_0"), ("nuclei", "nucleitorch_0")];

/// A model that can be loaded by name.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The name that [`Model::named`](super::Model::named) takes.
    pub name: String,
    /// The file of the model; `None` for a built-in model.
    pub path: Option<PathBuf>,
    /// The diameter in pixels to which the network expects cells to be scaled; `None` for files, which are not read.
    pub diam_mean: Option<f32>,
}

/// The built-in models, then the models in the original's folder, sorted by name.
pub fn list() -> Vec<Listed> {
    let built_in =
        |model: &BuiltIn| Listed { name: model.name.into(), path: None, diam_mean: model.diam_mean() };
    let mut listed: Vec<Listed> = BUILT_IN.iter().map(built_in).collect();
    if let Some(folder) = folder() {
        listed.extend(list_folder(&folder));
    }
    listed
}

fn list_folder(folder: &Path) -> Vec<Listed> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut listed: Vec<Listed> = entries
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            // These are size models, the model list of the GUI, and unfinished downloads.
            if file.starts_with('.') || [".npy", ".txt", ".tmp"].iter().any(|end| file.ends_with(end)) {
                return None;
            }
            let name = FILES.iter().find(|(_, known)| *known == file).map_or(file.as_str(), |(name, _)| name);
            Some(Listed { name: format!("{ORIGINAL}{name}"), path: Some(entry.path()), diam_mean: None })
        })
        .collect();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    listed
}

/// Where a model is.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    BuiltIn(&'static BuiltIn),
    File(PathBuf),
}

/// Finds a model by name: a built-in one, `cellpose:NAME`, or a path.
///
/// # Errors
/// [`Error::Model`] when there is no such model; it names the places where it was looked for.
pub(super) fn find(name: &str) -> Result<Place> {
    find_in(name, folder().as_deref())
}

fn find_in(name: &str, folder: Option<&Path>) -> Result<Place> {
    if let Some(model) = BuiltIn::named(name) {
        return Ok(Place::BuiltIn(model));
    }
    if let Some(original) = name.strip_prefix(ORIGINAL) {
        return find_original(name, original, folder);
    }
    let path = Path::new(name);
    if !path.exists() {
        if original::restores(name) {
            // No built-in model has such a name.
            return find_original(name, name, folder);
        }
        let known = original::unsupported(name).map(String::from).or_else(|| original::prefix(name));
        if let Some(reason) = known {
            return Err(Error::model(name, reason));
        }
        let names = BUILT_IN.each_ref().map(|model| model.name);
        let reason = format!(
            "is neither a file nor a built-in model ({}); {ORIGINAL}NAME is one of the original",
            names.join(", ")
        );
        return Err(Error::model(name, reason));
    }
    Ok(Place::File(path.into()))
}

fn find_original(name: &str, original: &str, folder: Option<&Path>) -> Result<Place> {
    let folder = folder
        .ok_or_else(|| Error::model(name, "there is no home folder and no CELLPOSE_LOCAL_MODELS_PATH"))?;
    let file = original_file(original);
    let path = folder.join(file);
    if file.is_empty() || !path.is_file() {
        let missing = || {
            let (folder, fetching) = (folder.display(), original::fetching(original));
            format!("there is no file {file:?} in {folder}; {fetching}")
        };
        let reason = original::unsupported(original).map_or_else(missing, String::from);
        return Err(Error::model(name, reason));
    }
    Ok(Place::File(path))
}

/// The name of the file of one of the original's models.
pub(super) fn original_file(name: &str) -> &str {
    FILES.iter().find(|(known, _)| *known == name).map_or(name, |(_, file)| file)
}

/// The folder where the original keeps its models.
pub(super) fn folder() -> Option<PathBuf> {
    folders::variable("CELLPOSE_LOCAL_MODELS_PATH")
        .or_else(|| Some(folders::home()?.join(".cellpose").join("models")))
}

/// The file of the size model that belongs to a model's file, by the original's names: `MODEL_size.npy` for models that
/// users trained (with or without the ending of `MODEL.pth`), `size_MODEL.npy` for the original's own.
pub(super) fn size_file(model: &Path) -> Option<PathBuf> {
    size_files(model).into_iter().find(|path| path.is_file())
}

/// All names of such a file, whether there is one or not. The first that is there counts.
pub(super) fn size_files(model: &Path) -> Vec<PathBuf> {
    let part = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let (file, stem) = (part(model.file_name()), part(model.file_stem()));
    let names = [format!("{file}_size.npy"), format!("{stem}_size.npy"), format!("size_{file}.npy")];
    names.into_iter().map(|name| model.with_file_name(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_the_original_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            ["cyto2torch_0", "cyto3", "mine", "size_cyto3.npy", "mine_size.npy", "gui_models.txt", ".part"];
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let find = |name| find_in(name, Some(folder.path()));
        let file = |name: &str| Place::File(folder.path().join(name));
        assert!(matches!(find("cyto").unwrap(), Place::BuiltIn(_)));
        assert_eq!(find("cellpose:cyto2").unwrap(), file("cyto2torch_0"));
        assert_eq!(find("cellpose:cyto3").unwrap(), file("cyto3"));
        let missing = find("cellpose:nuclei").unwrap_err().to_string();
        assert!(missing.contains("\"nucleitorch_0\"") && missing.contains(folder.path().to_str().unwrap()));
        // Without the feature `pull` there is no such command.
        assert_eq!(missing.contains("`flowmask models pull nuclei`"), cfg!(feature = "pull"), "{missing}");
        let unknown = find("cellpose:../nope").unwrap_err().to_string();
        assert!(unknown.contains("`flowmask models` lists") && !unknown.contains("download"), "{unknown}");
        let old = find("cellpose:TN1").unwrap_err().to_string();
        assert!(old.contains("the original downloads it") && !old.contains("pull"), "{old}");
        assert!(find("cellpose:").is_err());
        let reason = |name| find(name).unwrap_err().to_string();
        for name in ["cyto3", "cyto2", "livecell_cp3"] {
            assert!(reason(name).contains(&format!("write cellpose:{name}")), "{}", reason(name));
        }
        assert_eq!(reason("cyto3").contains("`flowmask models pull cyto3`"), cfg!(feature = "pull"));
        for name in ["cpsam", "cpsam_v2", "cellpose:cpsam"] {
            assert!(reason(name).contains("transformer of cellpose 4"), "{}", reason(name));
        }
        // Networks that restore images need no prefix.
        std::fs::write(folder.path().join("upsample_per_cyto2"), "").unwrap();
        assert_eq!(find("upsample_per_cyto2").unwrap(), file("upsample_per_cyto2"));
        assert_eq!(find("cellpose:upsample_per_cyto2").unwrap(), file("upsample_per_cyto2"));
        std::fs::remove_file(folder.path().join("upsample_per_cyto2")).unwrap();
        let missing = reason("denoise_cyto3");
        assert!(missing.contains("\"denoise_cyto3\"") && missing.contains(folder.path().to_str().unwrap()));
        assert_eq!(
            missing.contains("`flowmask models pull denoise_cyto3`"),
            cfg!(feature = "pull"),
            "{missing}"
        );
        for name in ["denoise", "deblur_cells", "cellpose:denoise"] {
            assert!(reason(name).contains("have names such as denoise_cyto3"), "{}", reason(name));
        }
        assert!(reason("denoised.tif").contains("neither a file"));
        assert!(find_in("cellpose:cyto3", None).is_err());
        assert!(find("no such file").unwrap_err().to_string().contains("cyto, nuclei"));

        let names: Vec<String> = list_folder(folder.path()).into_iter().map(|listed| listed.name).collect();
        assert_eq!(names, ["cellpose:cyto2", "cellpose:cyto3", "cellpose:mine"]);
        assert_eq!(size_file(&folder.path().join("cyto3")), Some(folder.path().join("size_cyto3.npy")));
        assert_eq!(size_file(&folder.path().join("mine.pth")), Some(folder.path().join("mine_size.npy")));
        assert_eq!(size_file(&folder.path().join("other")), None);
    }

    #[test]
    fn built_in_models_are_listed_with_their_diameter() {
        let listed: Vec<_> =
            list().into_iter().map(|listed| (listed.name, listed.diam_mean)).take(2).collect();
        assert_eq!(listed, [("cyto".to_owned(), Some(30.0)), ("nuclei".to_owned(), Some(17.0))]);
    }
}
