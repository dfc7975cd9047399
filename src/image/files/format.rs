//! The format of a file, recognised by its first bytes.

use std::io::Read;
use std::path::Path;

use super::samples::Decoded;
use super::{bmp, foreign, jpeg, npy, png, tiff};
use crate::image::Stack;
use crate::{Error, Result};

/// The extensions of the files that [`read`] understands, in lower case. They are meant for listing a folder: [`read`]
/// itself looks at the content of a file and not at its name.
pub const EXTENSIONS: &[&str] = &["tif", "tiff", "png", "jpg", "jpeg", "bmp", "npy"];

/// Reads an image file: TIFF (also BigTIFF, OME-TIFF and ImageJ stacks), PNG, JPEG, BMP or NPY.
///
/// Samples keep their values: nothing is scaled, and an inverted grey scale stays inverted. Unsigned 8- and 16-bit
/// integers keep their type, and such of 9 to 15 bits become `u16`; all other numbers become `f32`. Colours become
/// channels, without the opacity of a grey or RGB image. Planes and channels are told apart by these rules:
/// * TIFF: if the file describes its axes (OME-XML, ImageJ, or tifffile's JSON), the description decides. Without one,
///   two to four pages of one sample each are channels, and any other number of pages are planes. Pages of reduced
///   resolution, and pages with another size or type than the first, are ignored.
/// * NPY: two axes are `[Y, X]`. Of three axes, the first or the last is the channels if it is the shortest and shorter
///   than 10; otherwise the first is the planes. Of four axes, the first is the planes.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read; [`Error::ImageFile`] when it is empty, incomplete, of an unknown
/// format, or has a feature that is not supported (the message names it).
pub fn read(path: &Path) -> Result<Stack> {
    decode(load(path)?).map_err(|reason| Error::image_file(path, reason))
}

/// The content of a file, whose first bytes are looked at before the others are read.
pub(super) fn load(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |e| Error::read(path, e);
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    (&mut file).take(foreign::HEAD as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    decoder(&bytes).map_err(|reason| Error::image_file(path, reason))?;
    let length = file.metadata().map_err(unreadable)?.len();
    let room = usize::try_from(length).ok().and_then(|n| bytes.try_reserve_exact(n).ok());
    room.ok_or_else(|| {
        Error::image_file(path, format!("the file has {length} bytes, more than there is memory for"))
    })?;
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

pub(super) fn decode(bytes: Vec<u8>) -> Decoded<Stack> {
    decoder(&bytes)?(bytes)
}

/// What decodes a file that begins with these bytes.
fn decoder(head: &[u8]) -> Decoded<fn(Vec<u8>) -> Decoded<Stack>> {
    Ok(match head {
        [] => return Err("the file is empty".into()),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => tiff::decode,
        [0x89, b'P', b'N', b'G', ..] => |bytes| png::decode(&bytes),
        [0xff, 0xd8, 0xff, ..] => |bytes| jpeg::decode(&bytes),
        // After the length of the file come two numbers that are zero.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => |bytes| bmp::decode(&bytes),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => |bytes| npy::decode(&bytes),
        head => return Err(foreign::refusal(head)),
    })
}
