//! The hashes of files that were downloaded: `.NAME.sha256` beside NAME, as `sha256sum` writes it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// SHA-256 of `bytes` in hexadecimal digits.
pub(super) fn of(bytes: &[u8]) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// Refuses `bytes`, the content of `path`, when another hash was kept for this file. A file without a kept hash is
/// one that the user or the original put there, and is taken.
pub(super) fn check(path: &Path, bytes: &[u8]) -> Result<()> {
    let Some(place) = place(path) else { return Ok(()) };
    let text = match std::fs::read_to_string(&place) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::read(&place, error)),
    };
    let kept = text.split_whitespace().next().unwrap_or("");
    let hash = of(bytes);
    if hash == kept {
        return Ok(());
    }
    let reason = format!(
        "is not the file that was downloaded: its SHA-256 is {hash}, and {} says {kept:?}; delete both files to \
         download it again, or the second one to use the first as it is",
        place.display()
    );
    Err(Error::model(&path.to_string_lossy(), reason))
}

/// Keeps the hash of the file `path`, whose content is `bytes`.
#[cfg(feature = "pull")]
pub(super) fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let (Some(place), Some(name)) = (place(path), path.file_name()) else { return Ok(()) };
    let line = format!("{}  {}\n", of(bytes), name.to_string_lossy());
    crate::atomic::write_atomic(&place, |writer| writer.write_all(line.as_bytes()))
}

fn place(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(".sha256");
    Some(path.with_file_name(name))
}
