//! The format of a file, recognised by its first bytes.

use std::io::Read;
use std::path::Path;

use super::axes::planes;
use super::guard::guarded;
use super::letters::{Described, resolve};
use super::options::ReadOptions;
use super::samples::Decoded;
use super::{bmp, foreign, jpeg, npy, png, tiff};
use crate::image::pixel::each;
use crate::image::{Pixels, Stack};
use crate::memory::enough;
use crate::{Error, Result, regular, text};

/// The extensions of the files that [`read`] understands, in lower case. They are meant for listing a folder: [`read`]
/// itself looks at the content of a file and not at its name.
pub const EXTENSIONS: &[&str] = &["tif", "tiff", "png", "jpg", "jpeg", "bmp", "npy"];

/// Reads an image file with one image, as [`read_with`] does by the default options.
///
/// # Errors
/// The errors of [`read_with`]; [`Error::ImageFile`] when the file has several images (OME-TIFF can).
pub fn read(path: &Path) -> Result<Stack> {
    let images = read_with(path, &ReadOptions::default())?;
    one(images).map_err(|reason| Error::image_file(path, reason))
}

/// Reads the images of a file: TIFF (also BigTIFF, OME-TIFF and ImageJ stacks), PNG, JPEG, BMP or NPY. Only an OME-TIFF can
/// have several; each of them is a [`Stack`].
///
/// Samples keep their values: nothing is scaled, and an inverted grey scale stays inverted. Unsigned 8- and 16-bit
/// integers keep their type; all other numbers become `f32`. Colours become channels, without the opacity of a grey
/// or RGB image. Planes and channels are told apart by the options, else by the file, else by these rules:
/// * TIFF: a description (OME-XML, ImageJ, or tifffile's JSON) decides, as far as the pages that it tells of are there;
///   otherwise there is a warning among the [notes](Stack::notes). Without one, two to four pages of one sample each are
///   channels, and any other number of pages are planes. Pages of reduced resolution are ignored; pages with another
///   size or type than the first are left out, with a warning.
/// * NPY: two axes are `[Y, X]`. The first of three axes is the channels if it is the shortest and shorter than 10, else
///   the planes.
/// * Both: the last axis of three or four is the channels if it is the shortest of the last three and shorter than 10.
///   Of two axes before `[Y, X]`, the shorter is the channels if it is shorter than 10. Two that are equally short, and
///   more axes, are an error that shows the shape.
///
/// # Errors
/// [`Error::Option`] when the options are wrong for any file ([`ReadOptions::check`]); [`Error::Read`] when the file
/// cannot be read; [`Error::ImageFile`] when it is empty, incomplete, of an unknown format, or has a feature that is not
/// supported (the message names it), or when the options do not fit its axes or images;
/// [`Error::Memory`] when the file or its pixels are more than the memory that the options allow or that is free.
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Vec<Stack>> {
    // Wrong options are told before the file is read.
    options.check()?;
    decode(path, load(path, options.memory)?, options)
}

/// Decodes the images of a file that is in memory, as [`read_with`] does. `name` is the name of the file: errors show
/// it, and an OME-TIFF of several files tells by it which of its pages are in this one.
///
/// # Errors
/// The errors of [`read_with`], without [`Error::Read`].
///
/// ```
/// use flowmask::image::{ReadOptions, decode};
/// // Three pixels in a row.
/// let file = b"\x93NUMPY\x01\0\x39\0{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3)}\x05\x06\x07";
/// let images = decode("row.npy", file.to_vec(), &ReadOptions::default())?;
/// assert_eq!(images[0].planes[0].size(), (1, 3));
/// # Ok::<(), flowmask::Error>(())
/// ```
pub fn decode(name: impl AsRef<Path>, bytes: Vec<u8>, options: &ReadOptions) -> Result<Vec<Stack>> {
    options.check()?;
    let path = name.as_ref();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let images = guarded(path, || images(bytes, &name, options))?;
    match options.series {
        Some(n) if images.is_empty() || n > 1 && images[0].series != Some(n) => {
            Err(Error::image_file(path, format!("has no image {n} (--series)")))
        }
        _ => Ok(images),
    }
}

/// The content of a file, whose first bytes are looked at before the others are read.
fn load(path: &Path, most: Option<u64>) -> Result<Vec<u8>> {
    let unreadable = |e| Error::read(path, e);
    let mut head = Vec::new();
    let start = regular::open(path).map_err(unreadable)?.take(foreign::HEAD as u64);
    { start }.read_to_end(&mut head).map_err(unreadable)?;
    if !foreign::is_read(&head) {
        return Err(Error::image_file(path, foreign::refusal(&head)));
    }
    enough(|| text::path(path), || regular::read(path, most).map_err(unreadable))
}

fn one(mut images: Vec<Stack>) -> Decoded<Stack> {
    match images.len() {
        1 => Ok(images.remove(0)),
        n => Err(format!("holds {n} images, one is expected: choose one (--series)")),
    }
}

fn images(bytes: Vec<u8>, name: &str, options: &ReadOptions) -> Decoded<Vec<Stack>> {
    let single = match bytes.as_slice() {
        [] => Err("the file is empty".into()),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => {
            return tiff::decode(bytes, name, options);
        }
        [0x89, b'P', b'N', b'G', ..] => picture(png::decode(&bytes, options.memory)?, options),
        [0xff, 0xd8, 0xff, ..] => picture(jpeg::decode(&bytes, options.memory)?, options),
        [b'B', b'M', ..] => picture(bmp::decode(&bytes, options.memory)?, options),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::decode(&bytes, options),
        head => Err(foreign::refusal(head)),
    };
    Ok(vec![single?])
}

/// Applies the options to one picture, whose axes are known.
fn picture(stack: Stack, options: &ReadOptions) -> Decoded<Stack> {
    let image = &stack.planes[0];
    let shape = [image.height(), image.width(), image.channels()];
    let axes = if image.channels() == 1 { 2 } else { 3 };
    let array = Described { shape: &shape[..axes], letters: &['Y', 'X', 'S'][..axes], most_channels: 0 };
    let letters = resolve(&array, options, &mut vec![])?;
    match &letters[..] {
        ['Y', 'X'] | ['Y', 'X', 'C' | 'S'] => Ok(stack),
        letters => each!(image.pixels(), Pixels(array) => {
            planes(array.view().into_shape_with_order(&shape[..axes]).map_err(|e| e.to_string())?, letters)
        }),
    }
}
