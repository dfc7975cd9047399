//! Writer of images in single precision.

use ndarray::{ArrayView2, ArrayView3, Axis};
use tiff::encoder::colortype::Gray32Float;

use super::{Format, labels};
use crate::atomic::{Destination, write_atomic};
use crate::image::{self, Layout, Pixels};
use crate::{Error, Image, Result};

/// Writes images, such as [`Restorer`](crate::Restorer) makes them, in single precision: to a TIFF, in which each channel is a
/// page and the description of an ImageJ hyperstack names the axes, or to a NumPy array of the axes of the planes, the
/// channels if there are several, the height and the width. All images have the same size and number of channels, and are in
/// single precision; `layout` says how they lie ([`Stack::layout`](crate::Stack::layout)).
///
/// # Errors
/// [`Error::Image`] when there are no images, they differ, are not in single precision or do not fill the axes;
/// [`Error::Option`] for [`Format::Png`], which has no floats; [`Error::Write`] when the file cannot be written;
/// [`Error::Exists`] when one there must not be replaced.
pub fn save_images(
    to: impl Into<Destination>,
    images: &[Image],
    format: Format,
    layout: &Layout,
) -> Result<()> {
    let planes: Vec<ArrayView3<f32>> = images.iter().map(floats).collect::<Result<_>>()?;
    let Some(&(height, width, channels)) = planes.first().map(|plane| plane.dim()).as_ref() else {
        return Err(Error::Image("no images to write".into()));
    };
    if planes.iter().any(|plane| plane.dim() != (height, width, channels)) {
        return Err(Error::Image("images of different sizes cannot be written to one file".into()));
    }
    if layout.planes() != Some(planes.len()) {
        let reason = format!("{} planes do not fill the axes {}", planes.len(), layout.letters());
        return Err(Error::Image(reason));
    }
    let mut layout = layout.clone();
    if channels > 1 {
        layout.axes.push(image::Axis { letter: 'C', length: channels });
    }
    let pages: Vec<ArrayView2<f32>> = planes.iter().flat_map(|plane| plane.axis_iter(Axis(2))).collect();
    if format == Format::Png {
        return Err(Error::option("format", "must be tif or npy for images of floats, not png"));
    }
    write_atomic(to.into(), |writer| match format {
        Format::Npy => labels::npy(writer, &pages, &layout, |v| v),
        _ => labels::tif::<_, _, Gray32Float>(writer, &pages, &layout, |v| v),
    })
}

fn floats(image: &Image) -> Result<ArrayView3<'_, f32>> {
    match image.pixels() {
        Pixels::F32(pixels) => Ok(pixels.view()),
        _ => Err(Error::Image("is not in single precision".into())),
    }
}
