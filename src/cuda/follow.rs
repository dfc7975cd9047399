//! Each pixel of a cell walks along the flows to the fixed point of its cell (`dynamics.follow_flows`).

use cudarc::driver::CudaSlice;

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
    inside: Inside,
}

/// Which pixels of an image, or voxels of a volume, are in cells: 12 bytes for every 32.
#[derive(Debug, Default)]
pub(super) struct Inside {
    /// For every 32 pixels, a bit for each that is in a cell.
    words: Buffer<u32>,
    /// For every 32 pixels, how many are in cells.
    counts: Buffer<u32>,
    /// For every 32 pixels, how many pixels before them are in cells.
    sums: Buffer<u32>,
    scan: scan::Scratch,
}

impl Inside {
    /// The bits of this many pixels and the counts of their words, which a kernel is to write.
    pub fn resize(&mut self, gpu: &Gpu, pixels: usize) -> Result<(&mut CudaSlice<u32>, &mut CudaSlice<u32>)> {
        let words = pixels.div_ceil(32);
        Ok((self.words.resize(gpu, words)?, self.counts.resize(gpu, words)?))
    }

    /// Writes the indices of the pixels that are in cells, ascending, and how many they are.
    pub fn list(
        &mut self,
        gpu: &Gpu,
        pixels: usize,
        indices: &mut CudaSlice<u32>,
        count: &mut CudaSlice<u32>,
    ) -> Result<()> {
        scan(gpu, &self.counts, pixels.div_ceil(32), &mut self.sums, &mut self.scan)?;
        let (bits, sums, grid) = (self.words.get(), self.sums.get(), blocks(pixels));
        kernels::follow_pixels(gpu, grid, (256, 1, 1), 0, bits, sums, indices, count, pixels as u32)
    }
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
    let (grid, block) = (blocks(pixels), (256, 1, 1));
    let field = scratch.field.resize(gpu, pixels)?;
    let (bits, counts) = scratch.inside.resize(gpu, pixels)?;
    kernels::follow_field(gpu, grid, block, 0, maps.get(), field, bits, counts, threshold, pixels as i32)?;
    let starts = out.pixels.resize(gpu, pixels)?;
    let (ends, count) = (out.ends.resize(gpu, pixels)?, out.count.resize(gpu, 1)?);
    scratch.inside.list(gpu, pixels, starts, count)?;
    let (height, width) = (height as i32, width as i32);
    kernels::follow_walk(gpu, grid, block, 0, field, starts, count, ends, height, width, niter, sampling)
}
