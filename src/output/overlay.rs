//! Overlays: the image with the outlines of the cells, for people to look at.

use ndarray::{Array3, ArrayView2, ArrayView3, Axis};

use super::{labels, outlines::rims};
use crate::atomic::{Destination, write_atomic};
use crate::image::pixel::each;
use crate::{Error, Image, PixelType, Pixels, Result};

/// Writes the image with the outline of every cell, as a PNG with 8-bit colours. `masks` is `[height, width]`.
///
/// One channel is shown in grey, two channels in green and magenta. Of three or more, the first three are shown in red,
/// green and blue. In each channel the 1st percentile becomes black and the 99th white; 8-bit images with three or more
/// channels have one range for all, so that a photograph keeps its colours. Cells with neighbouring numbers have different
/// colours. The picture has the size of the image; [`save_overlay_scaled`] enlarges it.
///
/// # Errors
/// [`Error::Image`] when `masks` and the image differ in size, [`Error::Write`] when the file cannot be written,
/// [`Error::Exists`] when one there must not be replaced.
pub fn save_overlay(to: impl Into<Destination>, image: &Image, masks: ArrayView2<u32>) -> Result<()> {
    save_overlay_scaled(to, image, masks, 1)
}

/// Like [`save_overlay`], enlarged by `factor` (1 to 8), so that outlines do not cover small cells.
///
/// # Errors
/// Those of [`save_overlay`]; [`Error::Option`] for another factor.
pub fn save_overlay_scaled(
    to: impl Into<Destination>,
    image: &Image,
    masks: ArrayView2<u32>,
    factor: usize,
) -> Result<()> {
    if !(1..=8).contains(&factor) {
        return Err(Error::option("overlay scale", "must be from 1 to 8"));
    }
    check_size(image, masks)?;
    let (height, width) = masks.dim();
    let colors = colors(image);
    let large = (height * factor, width * factor);
    let masks = ndarray::Array2::from_shape_fn(large, |(y, x)| masks[(y / factor, x / factor)]);
    // In an enlarged image, an outline of two pixels is at most one pixel of the original wide.
    let outlines = rims(masks.view(), factor.min(2));
    let mut bytes = Vec::with_capacity(3 * masks.len());
    for ((y, x), &label) in masks.indexed_iter() {
        let pixel = match outlines[(y, x)] {
            true => cell_color(label),
            false => [0, 1, 2].map(|c| colors[(y / factor, x / factor, c)]),
        };
        bytes.extend(pixel);
    }
    write_atomic(to, |writer| {
        labels::encode_png(writer, large, png::ColorType::Rgb, png::BitDepth::Eight, &bytes)
    })
}

/// # Errors
/// [`Error::Image`] when the labels and the image differ in size.
pub(super) fn check_size(image: &Image, masks: ArrayView2<u32>) -> Result<()> {
    let (height, width) = masks.dim();
    if image.size() != (height, width) {
        let sizes = format!("{height} by {width} instead of {} by {}", image.height(), image.width());
        return Err(Error::Image(format!("the labels have another size: {sizes}")));
    }
    Ok(())
}

/// Writes red, green and blue, `[height, width, 3]`, as a PNG or, where the path ends in `.tif`, as a TIFF with 16 bits.
///
/// # Errors
/// [`Error::Image`] when there are no pixels, [`Error::Write`] when the file cannot be written, [`Error::Exists`] when one
/// there must not be replaced.
pub fn save_colors(to: impl Into<Destination>, colors: ArrayView3<u8>) -> Result<()> {
    let to = to.into();
    let (height, width, channels) = colors.dim();
    if colors.is_empty() || channels != 3 {
        return Err(Error::Image(format!(
            "{height} by {width} pixels of {channels} colours cannot be written"
        )));
    }
    let size = (height, width);
    if to.path().extension().is_some_and(|extension| extension == "tif") {
        // The brightest of 8 bits is the brightest of 16.
        let values: Vec<u16> = colors.iter().map(|&v| u16::from(v) * 257).collect();
        return write_atomic(to, |writer| labels::rgb_tif(writer, size, &values));
    }
    let bytes: Vec<u8> = colors.iter().copied().collect();
    write_atomic(to, |writer| {
        labels::encode_png(writer, size, png::ColorType::Rgb, png::BitDepth::Eight, &bytes)
    })
}

/// The image as red, green and blue, `[height, width, 3]`.
pub(crate) fn colors(image: &Image) -> Array3<u8> {
    let together = image.channels() >= 3 && image.pixels().kind() == PixelType::U8;
    each!(image.pixels(), Pixels(array) => stretched(array.view(), together))
}

fn stretched<T: Copy + Into<f32>>(pixels: ArrayView3<T>, together: bool) -> Array3<u8> {
    let (height, width, channels) = pixels.dim();
    let ranges: Vec<(f32, f32)> = (0..channels.min(3))
        .map(|c| match together {
            true => range(pixels.iter().map(|&v| v.into())),
            false => range(pixels.index_axis(Axis(2), c).iter().map(|&v| v.into())),
        })
        .collect();
    // The channel that each of the three colours shows.
    let shown = match channels {
        1 => [0, 0, 0],
        2 => [1, 0, 1],
        _ => [0, 1, 2],
    };
    Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
        let (low, high) = ranges[shown[c]];
        let v = (pixels[(y, x, shown[c])].into() - low) / (high - low);
        (v * 255.0).round() as u8
    })
}

/// The 1st and the 99th percentile of the finite values; the second is always larger than the first.
fn range(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let mut values: Vec<f32> = values.filter(|v| v.is_finite()).collect();
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let last = values.len() - 1;
    let mut at = |percent: usize| *values.select_nth_unstable_by(last * percent / 100, f32::total_cmp).1;
    let (low, high) = (at(1), at(99));
    if high > low { (low, high) } else { (low, low + 1.0) }
}

/// A bright colour. The hues of consecutive labels are a golden angle apart, so that they differ most.
fn cell_color(label: u32) -> [u8; 3] {
    let hue = (f64::from(label) * 0.618_033_988_749_895).fract();
    // Three cosines, a third of a turn apart and cut off at the top. Some green in blue keeps it visible on black.
    let mut color = [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|third| {
        let wave = 0.5 + 0.5 * (std::f64::consts::TAU * (hue - third)).cos();
        (255.0 * (1.5 * wave).min(1.0)) as u8
    });
    color[1] = color[1].max(color[2] / 3);
    color
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::read;
    use ndarray::{Array2, s};

    fn overlay(image: &Image, masks: ArrayView2<u32>, factor: usize) -> Array3<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overlay.png");
        save_overlay_scaled(&path, image, masks, factor).unwrap();
        match read(&path).unwrap().planes[0].pixels() {
            Pixels::U8(colors) => colors.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn outlines_lie_on_the_image() {
        let gray = Array2::from_shape_fn((40, 1025), |(y, x)| (y * 7 + x) as u16);
        let image = Image::from_gray(gray.view()).unwrap();
        let mut masks = Array2::zeros((40, 1025));
        masks.slice_mut(s![10..20, 10..20]).fill(1);
        masks.slice_mut(s![10..20, 20..30]).fill(2);
        let picture = overlay(&image, masks.view(), 1);
        assert_eq!(picture.dim(), (40, 1025, 3));
        let edge = super::super::outlines(masks.view());
        for ((y, x), &label) in masks.indexed_iter() {
            let color = [0, 1, 2].map(|c| picture[(y, x, c)]);
            if edge[(y, x)] {
                assert_eq!(color, cell_color(label));
            } else {
                assert!(color[0] == color[1] && color[1] == color[2], "{color:?} at {y}, {x}");
            }
        }
        assert_eq!((picture[(0, 0, 0)], picture[(39, 1024, 0)]), (0, 255));
    }

    #[test]
    fn pictures_are_enlarged_and_odd_values_shown() {
        let mut pixels = Array3::from_elem((5, 6, 2), 3.0_f32);
        pixels[(0, 0, 0)] = f32::NAN;
        pixels[(0, 1, 1)] = f32::INFINITY;
        let image = Image::from_channels(pixels.view()).unwrap();
        let picture = overlay(&image, Array2::zeros((5, 6)).view(), 4);
        assert_eq!(picture.dim(), (20, 24, 3));
        // Channel 0 is green, channel 1 is red and blue.
        assert_eq!([0, 1, 2].map(|c| picture[(0, 4, c)]), [255, 0, 255]);
    }

    #[test]
    fn colors_of_following_labels_differ() {
        for label in 1..2000_u32 {
            for next in 1..4 {
                let (a, b) = (cell_color(label), cell_color(label + next));
                let distance: i32 = (0..3).map(|c| (i32::from(a[c]) - i32::from(b[c])).abs()).sum();
                assert!(distance > 100, "{label}: {a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn labels_of_another_size_are_refused() {
        let image = Image::from_gray(Array2::<u8>::zeros((4, 5)).view()).unwrap();
        let error = save_overlay("overlay.png", &image, Array2::zeros((5, 4)).view());
        assert!(matches!(error, Err(Error::Image(_))));
    }
}
