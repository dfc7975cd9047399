//! Style vectors of images, and their files.

use std::io::Write;

use ndarray::{Array1, Array3, ArrayView1};

use super::panel::thumbnail;
use crate::atomic::{Destination, write_atomic};
use crate::npy;
use crate::output::quoted;
use crate::{Image, Result};

/// The longest side of the small picture that is kept of each image.
pub(super) const SIDE: usize = 96;

/// The name, the style vector and a small picture of an image.
pub struct StyleImage {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) style: Array1<f32>,
    pub(super) thumbnail: Array3<u8>,
}

impl StyleImage {
    /// Keeps the style vector and a small picture of the image. On a map, images with the same `group`, such as a folder,
    /// have the same colour.
    pub fn new(name: impl Into<String>, group: impl Into<String>, image: &Image, style: Array1<f32>) -> Self {
        let style = if style.is_standard_layout() { style } else { style.as_standard_layout().into_owned() };
        StyleImage { name: name.into(), group: group.into(), style, thumbnail: thumbnail(image, SIDE) }
    }

    /// The name of the image.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The style vector.
    pub fn style(&self) -> ArrayView1<'_, f32> {
        self.style.view()
    }
}

/// Writes a CSV file with the header `file,style_0,…` and one row for each image: its name and its style vector. Each
/// number has as many digits as are needed to read the same `f32` back.
///
/// # Errors
/// [`crate::Error::Write`] when the file cannot be written, [`crate::Error::Exists`] when one there must not be replaced.
pub fn save_styles_csv(to: impl Into<Destination>, images: &[StyleImage]) -> Result<()> {
    let length = images.first().map_or(0, |image| image.style.len());
    write_atomic(to, |file| {
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

/// Writes the style vectors as a NumPy file with an `f32` array, `[images, length]`.
///
/// # Errors
/// [`crate::Error::Write`] when the file cannot be written, or when the vectors differ in length;
/// [`crate::Error::Exists`] when one there must not be replaced.
pub fn save_styles_npy(to: impl Into<Destination>, images: &[StyleImage]) -> Result<()> {
    let length = images.first().map_or(0, |image| image.style.len());
    let numbers = images.iter().flat_map(|image| image.style.iter().copied());
    write_atomic(to, |file| npy::write(file, &[images.len(), length], numbers))
}
