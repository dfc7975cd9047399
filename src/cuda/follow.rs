//! Following the flows.

use super::kernels::follow as kernels;
use super::scan::{self, blocks, scan};
use super::{Buffer, Gpu};
use crate::Result;
use crate::options::Sampling;

/// The pixels in cells and where their walks ended: [`cpu::follow::Points`](crate::cpu::follow::Points) in the memory
/// of a GPU, which has room for all pixels.
#[derive(Debug, Default)]
pub struct Points {
    /// Index of each pixel in its image, ascending.
    pub pixels: Buffer<u32>,
    /// End point of each, (y, x), in pixels from the centre of the first pixel.
    pub ends: Buffer<[f32; 2]>,
    /// One value: how many there are.
    pub count: Buffer<u32>,
}

/// Memory for [`follow`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// The unit flow of each pixel, (y, x).
    field: Buffer<[f32; 2]>,
    /// Of 32 pixels each: which are in cells, how many, and how many before.
    words: Buffer<u32>,
    counts: Buffer<u32>,
    sums: Buffer<u32>,
    scan: scan::Scratch,
}

/// Walks `niter` steps from each pixel whose cell probability exceeds the threshold.
///
/// `maps` is `[3, height, width]`: five times a unit vector, y and x, and the cell probability. What is no number in
/// the flows gives ends that are none.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
#[expect(clippy::too_many_arguments, reason = "those of the twin, and the device's")]
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
    kernels::follow_pixels(gpu, grid, block, 0, bits, scratch.sums.get(), starts, count, n)?;
    let (height, width) = (height as i32, width as i32);
    kernels::follow_walk(gpu, grid, block, 0, field, starts, count, ends, height, width, niter, sampling)
}
