//! Resizing of images and labels with the results of `cv2.resize`.

use super::kernels::resize::{resize_linear, resize_nearest};
use super::{Buffer, Gpu};
use crate::Result;
use crate::plan::scale::step;

/// Threads of a block, (columns, rows).
pub(super) const BLOCK: (u32, u32, u32) = (32, 8, 1);

/// The grid of blocks for `images` images of one size. A block computes several pixels of a column in an image that is
/// higher than a grid can be.
pub(super) fn blocks((height, width): (usize, usize), images: usize) -> (u32, u32, u32) {
    let rows = (height as u32).div_ceil(BLOCK.1).min(65_535);
    ((width as u32).div_ceil(BLOCK.0), rows, images as u32)
}

/// Scales `source`, `[height, width, channels]`, from one (height, width) to another by bilinear interpolation.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn linear(
    gpu: &Gpu,
    source: &Buffer<f32>,
    from: (usize, usize),
    to: (usize, usize),
    channels: usize,
    out: &mut Buffer<f32>,
) -> Result<()> {
    launch_linear(gpu, source, from, to, channels, (channels, 1, 1), out)
}

/// Scales `source`, `[count, height, width]`, from one (height, width) to another by bilinear interpolation.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn planes(
    gpu: &Gpu,
    source: &Buffer<f32>,
    from: (usize, usize),
    to: (usize, usize),
    count: usize,
    out: &mut Buffer<f32>,
) -> Result<()> {
    launch_linear(gpu, source, from, to, count, (1, from.0 * from.1, to.0 * to.1), out)
}

/// `strides` are the number of values from one pixel to the next, from one image to the next in the source, and from
/// one image to the next in `out`.
fn launch_linear(
    gpu: &Gpu,
    source: &Buffer<f32>,
    from: (usize, usize),
    to: (usize, usize),
    count: usize,
    strides: (usize, usize, usize),
    out: &mut Buffer<f32>,
) -> Result<()> {
    let out = out.resize(gpu, count * to.0 * to.1)?;
    let (step_y, step_x) = (step(from.0, to.0), step(from.1, to.1));
    let [height, width, to_height, to_width, count] = [from.0, from.1, to.0, to.1, count].map(|n| n as i32);
    let (stride, source_next, next) = (strides.0 as u32, strides.1 as u64, strides.2 as u64);
    let (grid, source) = (blocks(to, 1), source.get());
    resize_linear(
        gpu,
        grid,
        BLOCK,
        0,
        source,
        out,
        height,
        width,
        to_height,
        to_width,
        step_y,
        step_x,
        count,
        stride,
        source_next,
        next,
    )
}

/// Scales labels, `[height, width]`, from one (height, width) to another: each pixel takes the nearest label.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn nearest(
    gpu: &Gpu,
    source: &Buffer<u32>,
    from: (usize, usize),
    to: (usize, usize),
    out: &mut Buffer<u32>,
) -> Result<()> {
    let out = out.resize(gpu, to.0 * to.1)?;
    let (step_y, step_x) = (step(from.0, to.0), step(from.1, to.1));
    let [height, width, to_height, to_width] = [from.0, from.1, to.0, to.1].map(|n| n as i32);
    let (grid, source) = (blocks(to, 1), source.get());
    resize_nearest(gpu, grid, BLOCK, 0, source, out, height, width, to_height, to_width, step_y, step_x)
}
