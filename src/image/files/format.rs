//! The format of a file, recognised by its first bytes.

use std::path::Path;

use super::samples::Decoded;
use super::{jpeg, npy, png, tiff};
use crate::image::Stack;
use crate::{Error, Result, regular};

/// The extensions of the files that [`read`] understands, in lower case. They are meant for listing a folder: [`read`]
/// itself looks at the content of a file and not at its name.
pub const EXTENSIONS: &[&str] = &["tif", "tiff", "png", "jpg", "jpeg", "npy"];

/// Reads an image file: TIFF (also BigTIFF, OME-TIFF and ImageJ stacks), PNG, JPEG or NPY.
///
/// Samples keep their values: nothing is scaled, and an inverted grey scale stays inverted. Unsigned 8- and 16-bit
/// integers keep their type; all other numbers become `f32`. Colours become channels, without the opacity of an RGB
/// image. Planes and channels are told apart by these rules:
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
    let bytes = regular::read(path).map_err(|e| Error::read(path, e))?;
    decode(bytes).map_err(|reason| Error::image_file(path, reason))
}

pub(super) fn decode(bytes: Vec<u8>) -> Decoded<Stack> {
    match bytes.as_slice() {
        [] => Err("the file is empty".into()),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => tiff::decode(bytes),
        [0x89, b'P', b'N', b'G', ..] => png::decode(&bytes),
        [0xff, 0xd8, 0xff, ..] => jpeg::decode(&bytes),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::decode(&bytes),
        _ => Err("not an image of a known format (TIFF, PNG, JPEG and NPY are read)".into()),
    }
}
