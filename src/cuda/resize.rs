//! Resizing as `cv2.resize` does it.

use super::kernels::resize::{resize_linear, resize_nearest};
use super::{Buffer, Gpu};
use crate::Result;
use crate::plan::scale::step;

/// Threads of a block, (columns, rows).
pub(super) const BLOCK: (u32, u32, u32) = (32, 8, 1);

/// The blocks for an image, (columns, rows); a block takes several rows where the image has more than a grid can have.
pub(super) fn blocks((height, width): (usize, usize), images: usize) -> (u32, u32, u32) {
    let rows = (height as u32).div_ceil(BLOCK.1).min(65_535);
    ((width as u32).div_ceil(BLOCK.0), rows, images as u32)
}

/// Bilinear, `[height, width, channels]` with `from` and `to` as (height, width).
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

/// Bilinear, `[count, height, width]` with `from` and `to` as (height, width).
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

/// `apart` is how far a pixel is from the next one, and an image from the next one, in the source and in `out`.
fn launch_linear(
    gpu: &Gpu,
    source: &Buffer<f32>,
    from: (usize, usize),
    to: (usize, usize),
    count: usize,
    apart: (usize, usize, usize),
    out: &mut Buffer<f32>,
) -> Result<()> {
    let out = out.resize(gpu, count * to.0 * to.1)?;
    let (step_y, step_x) = (step(from.0, to.0), step(from.1, to.1));
    let [height, width, to_height, to_width, count] = [from.0, from.1, to.0, to.1, count].map(|n| n as i32);
    let (stride, source_next, next) = (apart.0 as u32, apart.1 as u64, apart.2 as u64);
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

/// Nearest, for labels, `[height, width]` with `from` and `to` as (height, width).
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
