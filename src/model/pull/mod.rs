//! Downloads the weights of the original to where [`Model::named`] and the original look for them.

mod download;

use std::path::{Path, PathBuf};

use super::original::{PUBLISHED, RESTORATION};
use super::places::{self, ORIGINAL};
use super::{Model, SizeModel, hashes};
use crate::{Error, Result, folders};
use download::Download;

/// Where the original downloads its weights from (`_MODEL_URL` in `models.py` of cellpose 3.1.1).
pub const ADDRESS: &str = "https://www.cellpose.org/models";

/// The environment variable that names another server with the same files.
pub const MIRROR: &str = "FLOWMASK_MODELS_URL";

/// What a user has to know of these weights before downloading them.
pub const LICENCE: &str = "The weights of Cellpose are by its authors. They were trained on data for non-commercial use \
                           (CC BY-NC), so ask them before any other use. flowmask's own models, cyto and nuclei, may \
                           be used for any purpose.";

/// The networks that have a size model.
const SIZED: [&str; 4] = ["cyto3", "cyto2", "cyto", "nuclei"];

/// Larger files are refused: a network of the original has 26 MB.
const MAX_FILE: u64 = 1 << 30;

/// How far a download is.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Pulling {
    /// The address of the file.
    pub url: String,
    /// How many bytes are there, with those of an earlier attempt.
    pub done: u64,
    /// How many bytes the file has, if the server says so.
    pub total: Option<u64>,
}

/// A file that [`pull`] made sure of.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Pulled {
    /// Where the file is.
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Whether it was there before.
    pub was_there: bool,
}

/// The names that [`pull`] takes: the networks for segmentation, then those for restoration.
pub fn published() -> Vec<String> {
    segmentation().map(String::from).chain(restoration()).collect()
}

fn segmentation() -> impl Iterator<Item = &'static str> {
    ["cyto", "nuclei"].into_iter().chain(PUBLISHED)
}

/// As `denoise.py` puts the names together.
fn restoration() -> Vec<String> {
    let mut names = Vec::new();
    for cells in ["cyto3", "cyto2", "nuclei"] {
        for kind in RESTORATION {
            names.push(format!("{kind}_{cells}"));
            if cells != "cyto3" {
                names.extend(["per", "seg", "rec"].map(|loss| format!("{kind}_{loss}_{cells}")));
            }
        }
        if cells != "cyto3" {
            names.push(format!("aniso_{cells}"));
        }
    }
    names
}

/// Downloads a network of the original, and its size model if it has one, from [`ADDRESS`] or the server in the
/// environment variable [`MIRROR`]. [`LICENCE`] says under which terms: show it first.
///
/// A download that was cut goes on where it ended, also in a later call. A file is put in its place only after it was
/// loaded as the kind of network that it should be; its SHA-256 is kept beside it, and checked whenever the model is
/// used. `progress` is called a few times a second, and returns whether to go on.
///
/// # Errors
/// [`Error::Model`] for a name that is not among [`published`], for a file that is not such a network, and for one that
/// is there already and cannot be used; [`Error::Download`] when the server cannot be reached or does not send the
/// file; [`Error::Write`] when the file cannot be written; [`Error::Cancelled`] when `progress` returned `false`.
pub fn pull(name: &str, progress: &mut dyn FnMut(&Pulling) -> bool) -> Result<Vec<Pulled>> {
    check(name)?;
    let name = name.strip_prefix(ORIGINAL).unwrap_or(name);
    let folder = places::folder()
        .ok_or_else(|| Error::model(name, "there is no home folder and no CELLPOSE_LOCAL_MODELS_PATH"))?;
    std::fs::create_dir_all(&folder).map_err(|e| Error::write(&folder, e))?;
    let server = match folders::variable(MIRROR) {
        Some(mirror) => address(&mirror.to_string_lossy())?,
        None => ADDRESS.into(),
    };
    let model = |path: &Path, bytes: &[u8]| check_network(name, path, bytes);
    let mut pulled = vec![ensure(&folder, places::original_file(name), &server, &model, progress)?];
    if SIZED.contains(&name) {
        let file = format!("size_{}.npy", places::original_file(name));
        pulled.push(ensure(&folder, &file, &server, &check_size, progress)?);
    }
    Ok(pulled)
}

/// What a file must be: called with its final path, for messages, and its content.
type Check<'a> = &'a dyn Fn(&Path, &[u8]) -> Result<()>;

/// Checks the file if it is there, or else downloads it.
fn ensure(
    folder: &Path,
    file: &str,
    server: &str,
    check: Check,
    progress: &mut dyn FnMut(&Pulling) -> bool,
) -> Result<Pulled> {
    let path = folder.join(file);
    if path.exists() {
        let bytes = super::read_file(&path)?;
        hashes::check(&path, &bytes)?;
        check(&path, &bytes)?;
        return Ok(Pulled { path, sha256: hashes::of(&bytes), was_there: true });
    }
    let url = format!("{server}/{file}");
    let mut download = Download::open(&path, &url)?;
    let bytes = download.run(download::PATIENCE, progress)?;
    if let Err(error) = check(&path, &bytes) {
        // The next attempt must not go on with these bytes.
        download.discard()?;
        return Err(Error::download(&url, format!("it is not what its name says: {error}")));
    }
    // The hash comes first, so that there is never a downloaded file without one.
    hashes::keep(&path, &bytes)?;
    download.finish()?;
    Ok(Pulled { path, sha256: hashes::of(&bytes), was_there: false })
}

/// The address of a server that has the files, without the `/` at its end.
fn address(mirror: &str) -> Result<String> {
    match mirror.starts_with("https://") || mirror.starts_with("http://") {
        true => Ok(mirror.trim_end_matches('/').to_owned()),
        false => Err(Error::download(mirror, format!("{MIRROR} must begin with https:// or http://"))),
    }
}

/// Tells whether [`pull`] takes this name.
///
/// # Errors
/// [`Error::Model`] for a name that is not among [`published`].
pub fn check(name: &str) -> Result<()> {
    let name = name.strip_prefix(ORIGINAL).unwrap_or(name);
    let names = published();
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let reason = match name {
        "transformer_cp3" | "neurips_cellpose_transformer" | "cpsam" => {
            "is a transformer; flowmask runs the U-Nets of Cellpose 1 to 3".to_owned()
        }
        _ => format!("is not among the models that the original publishes: {}", names.join(", ")),
    };
    Err(Error::model(name, reason))
}

/// Refuses a file that is not the kind of network that its name says. The original publishes no hashes.
fn check_network(name: &str, path: &Path, bytes: &[u8]) -> Result<()> {
    let model = Model::from_bytes(&path.to_string_lossy(), bytes)?;
    let (inputs, outputs) = match segmentation().any(|known| known == name) {
        true => (2, 3),
        false => (1, 1),
    };
    let network = model.network();
    let wrong = |reason: String| Err(Error::model(model.name(), reason));
    if network.nout != outputs || network.nbase[0] != inputs {
        return wrong(format!(
            "has {} inputs and {} outputs, where {name} has {inputs} and {outputs}",
            network.nbase[0], network.nout
        ));
    }
    let expected = if name == "nuclei" { 17.0 } else { 30.0 };
    match model.params()?.diameter(name, "diam_mean")? {
        Some(found) if found != expected && outputs == 3 => {
            wrong(format!("is for cells of {found} pixels, where {name} is for {expected}"))
        }
        _ => Ok(()),
    }
}

fn check_size(path: &Path, bytes: &[u8]) -> Result<()> {
    SizeModel::from_npy(&path.to_string_lossy(), bytes).map(drop)
}

#[cfg(test)]
mod tests;
