//! Percentile normalisation.

use super::kernels::normalize::{self as kernels, Channel, Percentiles, Sample, Shared};
use super::{Buffer, Gpu};
use crate::plan::percentiles::{rank, steps};
use crate::{Normalize, Result};

/// Threads of a block, and values that each of them takes at least.
const THREADS: u32 = kernels::THREADS as u32;
const OWN: u32 = 8;

/// Memory that is kept from one image to the next: histograms and percentiles.
#[derive(Debug, Default)]
pub struct Scratch(Buffer<Channel>);

/// Brings the percentiles of each channel of `[height, width, nchan]` to 0 and 1, in place: see
/// [`cpu::normalize`](crate::cpu::normalize::normalize).
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn normalize(
    gpu: &Gpu,
    pixels: &mut Buffer<f32>,
    height: usize,
    width: usize,
    nchan: usize,
    options: &Normalize,
    scratch: &mut Scratch,
) -> Result<()> {
    let work = scratch.0.zeros(gpu, nchan)?;
    let (size, channels) = ((height * width) as u32, nchan as u32);
    let sample = Sample::new(height, width);
    let percentiles = Percentiles::new(sample.size, options.percentile);
    // Few enough blocks that adding up their histograms costs nothing.
    let grid = (sample.size.div_ceil(THREADS * OWN).min(512), channels, 1);
    let (block, shared) = ((THREADS, 1, 1), size_of::<Shared>() as u32);
    for pass in 0..kernels::PASSES {
        kernels::normalize_select(gpu, grid, block, shared, pixels.get(), work, &sample, &percentiles, pass)?;
    }
    if options.invert {
        let grid = (size.div_ceil(THREADS * kernels::LOOKS as u32), channels, 1);
        kernels::normalize_varies(gpu, grid, block, 0, pixels.get(), work, size)?;
    }
    let (values, invert) = (size * channels, i32::from(options.invert));
    let grid = (values.div_ceil(THREADS), 1, 1);
    kernels::normalize_apply(gpu, grid, block, 0, pixels.get_mut(), work, values, nchan as i32, invert)
}

impl Sample {
    /// A grid in a large image, all of another.
    fn new(height: usize, width: usize) -> Self {
        let (down, across) = steps(height, width);
        // Without gaps, one long row saves divisions.
        let (height, width) = if (down, across) == (1, 1) { (1, height * width) } else { (height, width) };
        let columns = width.div_ceil(across);
        let size = height.div_ceil(down) * columns;
        let [size, columns, down, across, width] = [size, columns, down, across, width].map(|n| n as u32);
        Sample { size, columns, down, across, width }
    }
}

impl Percentiles {
    fn new(size: u32, q: [f64; 2]) -> Self {
        let [low, high] = q.map(|q| rank(size as usize, q));
        Percentiles { fraction: [low.1, high.1], rank: [low.0 as u32, high.0 as u32] }
    }
}
