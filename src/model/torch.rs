//! Files of `torch.save` with a state dict: the zip archive of PyTorch 1.6 and later, and the older format, a sequence
//! of pickles (`torch/serialization.py` defines both).

mod state;
mod write;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use self::state::{ALLOWED, Storages, element_bytes};
use super::pickle::{self, Object, Value};
use super::tensors::Tensors;
use crate::{Error, Result};

pub(super) use write::to_bytes;

/// The first bytes of an archive.
pub(super) const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// The first bytes of the older format: a pickle of the number 0x1950a86a20f9469cfc6c.
pub(super) const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The largest pickle that is read, in bytes. The pickle of a state dict has about 50 kB.
const MAX_PICKLE: u64 = 16 << 20;

/// Reads the zip archive of PyTorch 1.6 and later.
///
/// # Errors
/// [`Error::Model`] for an archive or a pickle that cannot be read; [`Error::Tensor`] for a tensor that cannot.
pub(super) fn read_zip(model: &str, bytes: &[u8]) -> Result<Tensors> {
    let fail = |reason: String| Error::model(model, reason);
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|e| fail(format!("is a damaged zip archive ({e})")))?;
    let root = archive
        .file_names()
        .find_map(|name| {
            Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()).filter(|root| root.ends_with('/'))
        })
        .ok_or_else(|| fail("is a zip archive, but not one of torch.save (it has no data.pkl)".into()))?;
    if archive.index_for_name(&format!("{root}byteorder")).is_some()
        && entry(&mut archive, &format!("{root}byteorder"), 16).map_err(fail)? != b"little"
    {
        return Err(fail("was written on a big-endian machine, which cannot be read".into()));
    }
    let data = entry(&mut archive, &format!("{root}data.pkl"), MAX_PICKLE).map_err(fail)?;
    let pickle = pickle::read(&mut &data[..], ALLOWED).map_err(fail)?;
    let views = state::views(model, &pickle)?;

    // Entries of a zip archive can overlap, so that a small file unpacks to a huge one. Those of torch.save are stored
    // side by side, so together they are no longer than the file.
    let mut left = bytes.len() as u64;
    let mut storages = Storages::new();
    for view in &views {
        if !storages.contains_key(view.storage) {
            let storage = entry(&mut archive, &format!("{root}data/{}", view.storage), left).map_err(fail)?;
            left -= storage.len() as u64;
            storages.insert(view.storage, Cow::Owned(storage));
        }
    }
    state::tensors(model, &views, &storages, bytes.len())
}

/// Reads an entry of an archive, which may have at most `limit` bytes. The zip reader verifies its checksum.
fn entry(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, limit: u64) -> pickle::Result<Vec<u8>> {
    let file = archive.by_name(name).map_err(|e| format!("cannot read {name} in its archive ({e})"))?;
    let mut content = Vec::with_capacity(file.size().min(limit) as usize);
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|e| format!("cannot read {name} in its archive ({e})"))?;
    if content.len() as u64 > limit {
        return Err(format!("has a damaged archive: {name} is too long"));
    }
    Ok(content)
}

/// Reads the format of PyTorch before 1.6: after the magic number, pickles of the protocol number, of the machine's
/// byte order and integer sizes, of the state dict and of the keys of the storages; then the storages in the order of
/// the keys, each after its number of elements.
///
/// # Errors
/// The errors of [`read_zip`].
pub(super) fn read_legacy(model: &str, bytes: &[u8]) -> Result<Tensors> {
    let fail = |reason: String| Error::model(model, reason);
    let cut = || Error::model(model, "is cut off or damaged");
    let mut rest = bytes.get(LEGACY_MAGIC.len()..).ok_or_else(cut)?;
    pickle::read(&mut rest, &[]).map_err(fail)?;
    let machine = pickle::read(&mut rest, &[]).map_err(fail)?;
    if machine.get(machine.root, "little_endian") != Some(Value::Bool(true)) {
        return Err(fail("was written on a big-endian machine, which cannot be read".into()));
    }
    let pickle = pickle::read(&mut rest, ALLOWED).map_err(fail)?;
    let views = state::views(model, &pickle)?;
    let widths: HashMap<&str, usize> = pickle
        .objects()
        .filter_map(|object| match object {
            Object::Persistent(id) => match *pickle.list(*id)? {
                [_, Value::Global(class), Value::Str(key), ..] => Some((key, element_bytes(class)?)),
                _ => None,
            },
            _ => None,
        })
        .collect();

    let keys = pickle::read(&mut rest, &[]).map_err(fail)?;
    let mut storages = Storages::new();
    for key in keys.list(keys.root).ok_or_else(cut)? {
        let Value::Str(key) = *key else { return Err(cut()) };
        let (count, after) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = widths
            .get(key)
            .and_then(|&width| usize::try_from(u64::from_le_bytes(*count)).ok()?.checked_mul(width));
        let (storage, after) = after.split_at_checked(length.ok_or_else(cut)?).ok_or_else(cut)?;
        storages.insert(key, Cow::Borrowed(storage));
        rest = after;
    }
    state::tensors(model, &views, &storages, bytes.len())
}
