//! The image with red outlines, as the original saves it.

use ndarray::{Array3, ArrayView2, Axis};

use super::contours::traced;
use super::overlay::{check_size, save_colors};
use super::range::range;
use crate::atomic::Destination;
use crate::image::pixel::each;
use crate::{Image, Pixels, Result};

/// Writes the image with the outlines of the cells in red, as the original's `--save_outlines`: a PNG with 8-bit colours.
/// `masks` is `[height, width]`.
///
/// The 1st and the 99th percentile of all channels together become 0 and 1. One or two channels are then averaged, scaled
/// once more in the same way, and shown in grey; of three or more, the first three are red, green and blue. The original
/// makes these nearly black, by clipping them to 1 of 255.
///
/// # Errors
/// [`Error::Image`](crate::Error::Image) when `masks` and the image differ in size, [`Error::Write`](crate::Error::Write) when the file cannot be written,
/// [`Error::Exists`](crate::Error::Exists) when one there must not be replaced.
pub fn save_outlined(to: impl Into<Destination>, image: &Image, masks: ArrayView2<u32>) -> Result<()> {
    check_size(image, masks)?;
    let (height, width) = masks.dim();
    let pixels: Array3<f32> = each!(image.pixels(), Pixels(array) => array.mapv(f32::from));
    let mut pixels = scaled(pixels);
    if image.channels() < 3 {
        let count = image.channels() as f32;
        pixels = scaled(pixels.sum_axis(Axis(2)).insert_axis(Axis(2)).mapv(|sum| sum / count));
    }
    let shown = |c: usize| if image.channels() < 3 { 0 } else { c };
    let red = traced(masks);
    save_colors(
        to,
        Array3::from_shape_fn((height, width, 3), |(y, x, c)| match red[(y, x)] {
            true => [255, 0, 0][c],
            false => (pixels[(y, x, shown(c))].clamp(0.0, 1.0) * 255.0) as u8,
        })
        .view(),
    )
}

/// The 1st percentile becomes 0, the 99th 1. What hardly differs becomes 0.
fn scaled(mut pixels: Array3<f32>) -> Array3<f32> {
    let [low, high] = range(pixels.dim().0, |y| pixels.index_axis(Axis(0), y).into_iter().copied());
    match high - low > 1e-3 {
        true => pixels.mapv_inplace(|v| (v - low) / (high - low)),
        false => pixels.fill(0.0),
    }
    pixels
}
