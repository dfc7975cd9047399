//! The models that come with flowmask, compiled into the program or read from disk.

use std::borrow::Cow;

use super::safetensors;
use crate::Result;

/// A model that was trained for flowmask. Its weights are in the public domain (CC0-1.0).
#[derive(Debug, PartialEq)]
pub(super) struct BuiltIn {
    pub name: &'static str,
    #[cfg(feature = "builtin-models")]
    bytes: &'static [u8],
    /// SHA-256 of the file with its weights.
    #[cfg(not(feature = "builtin-models"))]
    hash: &'static str,
}

#[cfg(feature = "builtin-models")]
pub(super) static BUILT_IN: [BuiltIn; 2] = [
    BuiltIn { name: "cyto", bytes: include_bytes!("../../weights/cyto.safetensors") },
    BuiltIn { name: "nuclei", bytes: include_bytes!("../../weights/nuclei.safetensors") },
];

#[cfg(not(feature = "builtin-models"))]
pub(super) static BUILT_IN: [BuiltIn; 2] = [
    BuiltIn { name: "cyto", hash: "b46145a48a6cbdda6637a131f8d29cc2b4dd2e8ef8d4f9a4638e7850e62714b8" },
    BuiltIn { name: "nuclei", hash: "83d4f920dd43efb302d0fdf1045e207c9ef457b0e84a07aacb2c0d585b578e67" },
];

impl BuiltIn {
    /// The built-in model with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        BUILT_IN.iter().find(|model| model.name == name)
    }

    /// The content of the file with its weights.
    ///
    /// # Errors
    /// In a program that was built without the weights: [`Error::Model`](crate::Error::Model) when their file is
    /// missing or has another hash, and [`Error::Read`](crate::Error::Read) when it cannot be read.
    pub fn load(&self) -> Result<Cow<'static, [u8]>> {
        #[cfg(feature = "builtin-models")]
        return Ok(Cow::Borrowed(self.bytes));
        #[cfg(not(feature = "builtin-models"))]
        return disk::load(self).map(Cow::Owned);
    }

    /// The diameter in pixels to which the network expects cells to be scaled; `None` if its file is missing.
    pub fn diam_mean(&self) -> Option<f32> {
        safetensors::read_scalar(&self.load().ok()?, "diam_mean")
    }
}

/// Finds the files in a build without the feature `builtin-models`.
#[cfg(not(feature = "builtin-models"))]
mod disk {
    use std::path::{Path, PathBuf};

    use super::super::hashes;
    use super::BuiltIn;
    use crate::{Error, Result, folders};

    /// The folders that may have the weights. If `FLOWMASK_WEIGHTS` is set, only the folder that it names; otherwise
    /// the `weights` of the source tree that the program was built from, then those in the user's data folder.
    fn places() -> Vec<PathBuf> {
        match folders::variable("FLOWMASK_WEIGHTS") {
            Some(folder) => vec![folder],
            None => {
                let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
                let user = folders::data().map(|folder| folder.join("weights"));
                [checkout].into_iter().chain(user).collect()
            }
        }
    }

    pub(super) fn load(model: &BuiltIn) -> Result<Vec<u8>> {
        load_from(model, &places())
    }

    pub(super) fn load_from(model: &BuiltIn, places: &[PathBuf]) -> Result<Vec<u8>> {
        let file = format!("{}.safetensors", model.name);
        let Some(path) = places.iter().map(|folder| folder.join(&file)).find(|path| path.is_file()) else {
            let places: Vec<String> = places.iter().map(|folder| folder.display().to_string()).collect();
            let reason = format!(
                "is not inside this program, which was built without the feature `builtin-models`, and there is no \
                 {file} in {}; FLOWMASK_WEIGHTS can name its folder",
                places.join(" or ")
            );
            return Err(Error::model(model.name, reason));
        };
        let bytes = std::fs::read(&path).map_err(|e| Error::read(&path, e))?;
        let hash = hashes::of(&bytes);
        if hash != model.hash {
            let reason =
                format!("{} is not the file that belongs to this version (SHA-256 {hash})", path.display());
            return Err(Error::model(model.name, reason));
        }
        Ok(bytes)
    }
}

#[cfg(all(test, not(feature = "builtin-models")))]
mod tests {
    use super::*;

    #[test]
    fn weights_on_disk_are_those_of_this_version_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let nuclei = BuiltIn::named("nuclei").unwrap();
        let places = [folder.path().to_owned()];
        let missing = disk::load_from(nuclei, &places).unwrap_err().to_string();
        assert!(missing.contains("FLOWMASK_WEIGHTS") && missing.contains("nuclei.safetensors"), "{missing}");
        let path = folder.path().join("nuclei.safetensors");
        let bytes = nuclei.load().unwrap();
        std::fs::write(&path, &bytes).unwrap();
        assert!(disk::load_from(nuclei, &places).unwrap() == *bytes);
        let mut changed = bytes.into_owned();
        changed[5_000_000] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let error = disk::load_from(nuclei, &places).unwrap_err().to_string();
        assert!(error.contains("nuclei.safetensors is not the file") && error.contains("SHA-256"), "{error}");
    }
}
