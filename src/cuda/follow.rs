//! Each pixel of a cell walks along the flows to the fixed point of its cell (`dynamics.follow_flows`).

use super::kernels::follow as kernels;
use super::scan::{self, blocks, scan};
use super::{Buffer, Gpu};
use crate::Result;
use crate::options::Sampling;

/// The pixels in cells and the points where their walks ended: [`cpu::follow::Points`](crate::cpu::follow::Points) in
/// the memory of a GPU. The arrays have room for all pixels of the image; only the first `count` values are used.
#[derive(Debug, Default)]
pub struct Points {
    /// Index of each pixel in the image in row-major order, ascending.
    pub pixels: Buffer<u32>,
    /// The end point of each of these pixels, (y, x), in pixels from the centre of the first pixel of the image.
    pub ends: Buffer<[f32; 2]>,
    /// One value: the number of these pixels.
    pub count: Buffer<u32>,
}

/// Scratch memory of [`follow`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// The step of each pixel, (y, x) in pixels: a fifth of the flow, zero outside cells.
    field: Buffer<[f32; 2]>,
    /// For every 32 pixels, a bit for each that is in a cell.
    words: Buffer<u32>,
    /// For every 32 pixels, how many are in cells.
    counts: Buffer<u32>,
    /// For every 32 pixels, how many pixels before them are in cells.
    sums: Buffer<u32>,
    scan: scan::Scratch,
}

/// Walks `niter` steps from each pixel whose `cellprob` exceeds the threshold.
///
/// `maps` is `[3, height, width]`: the flows (y, x), about five times a unit vector, then cellprob. A flow that is NaN
/// gives end points that are NaN.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
#[expect(clippy::too_many_arguments, reason = "those of the function on the CPU, and the GPU's memory")]
pub fn follow(
    gpu: &Gpu,
    maps: &Buffer<f32>,
    (height, width): (usize, usize),
    threshold: f32,
    niter: u32,
    sampling: Sampling,
    out: &mut Points,
    scratch: &mut Scratch,
) -> Result<()> {
    let pixels = height * width;
    let (words, grid, block, n) = (pixels.div_ceil(32), blocks(pixels), (256, 1, 1), pixels as i32);
    let field = scratch.field.resize(gpu, pixels)?;
    let (bits, counts) = (scratch.words.resize(gpu, words)?, scratch.counts.resize(gpu, words)?);
    kernels::follow_field(gpu, grid, block, 0, maps.get(), field, bits, counts, threshold, n)?;
    scan(gpu, &scratch.counts, words, &mut scratch.sums, &mut scratch.scan)?;
    let starts = out.pixels.resize(gpu, pixels)?;
    let (ends, count) = (out.ends.resize(gpu, pixels)?, out.count.resize(gpu, 1)?);
    kernels::follow_pixels(gpu, grid, block, 0, bits, scratch.sums.get(), starts, count, n as u32)?;
    let (height, width) = (height as i32, width as i32);
    kernels::follow_walk(gpu, grid, block, 0, field, starts, count, ends, height, width, niter, sampling)
}
