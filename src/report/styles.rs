//! Style vectors of images, as numbers in files.

use std::io::Write;
use std::path::Path;

use ndarray::{Array1, Array3, ArrayView1};

use super::panel::thumbnail;
use crate::atomic::write_atomic;
use crate::npy;
use crate::output::quoted;
use crate::{Image, Result};

/// Longest side of the picture that is kept of an image.
pub(super) const SIDE: usize = 96;

/// An image's name, style vector and small picture.
pub struct StyleImage {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) style: Array1<f32>,
    pub(super) thumbnail: Array3<u8>,
}

impl StyleImage {
    /// Keeps a small picture of the image. Images of one `group`, such as a folder, get one colour on a map.
    pub fn new(name: impl Into<String>, group: impl Into<String>, image: &Image, style: Array1<f32>) -> Self {
        StyleImage { name: name.into(), group: group.into(), style, thumbnail: thumbnail(image, SIDE) }
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The style vector.
    pub fn style(&self) -> ArrayView1<'_, f32> {
        self.style.view()
    }
}

/// Writes a row an image, `file,style_0,…`: its name and the numbers, each with as many digits as give the same
/// `f32` back.
///
/// # Errors
/// [`crate::Error::Write`].
pub fn save_styles_csv(path: &Path, images: &[StyleImage]) -> Result<()> {
    let length = images.first().map_or(0, |image| image.style.len());
    write_atomic(path, |file| {
        write!(file, "file")?;
        (0..length).try_for_each(|i| write!(file, ",style_{i}"))?;
        writeln!(file)?;
        for image in images {
            write!(file, "{}", quoted(&image.name))?;
            image.style.iter().try_for_each(|value| write!(file, ",{value}"))?;
            writeln!(file)?;
        }
        Ok(())
    })
}

/// Writes an array of `f32`, `[images, numbers]`, in NumPy's format.
///
/// # Errors
/// [`crate::Error::Write`], also when the vectors have different lengths.
pub fn save_styles_npy(path: &Path, images: &[StyleImage]) -> Result<()> {
    let length = images.first().map_or(0, |image| image.style.len());
    let numbers = images.iter().flat_map(|image| image.style.iter().copied());
    write_atomic(path, |file| npy::write(file, &[images.len(), length], numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_field() {
        assert_eq!(quoted("a b.tif"), "a b.tif");
        assert_eq!(quoted("a,b\".tif"), "\"a,b\"\".tif\"");
    }
}
