//! Percentile normalisation.

use cudarc::driver::DeviceRepr;

use super::{Buffer, Gpu, launch};
use crate::plan::percentiles::{rank, steps};
use crate::{Normalize, Result};

/// Threads of a block, and values that each of them takes at least.
const THREADS: u32 = 256;
const OWN: u32 = 8;

/// Words of a channel's part of the work memory (`Channel` of `kernels/normalize.cu`).
const WORDS: usize = 30 + 3 * HISTOGRAMS;

/// Words of a pass's histograms: 4 ranks, 2048 bins.
const HISTOGRAMS: usize = 4 * 2048;

/// Memory of a block: its histograms, the sums of its 8 warps and 9 more words.
const SHARED: u32 = 4 * (HISTOGRAMS as u32 + 8 + 9);

/// Memory that is kept from one image to the next: histograms and percentiles.
#[derive(Debug, Default)]
pub struct Scratch(Buffer<u32>);

/// The values that the percentiles are taken from.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sample {
    size: u32,
    columns: u32,
    down: u32,
    across: u32,
    width: u32,
}

/// Where the percentiles lie among the sorted values.
#[repr(C)]
#[derive(Clone, Copy)]
struct Percentiles {
    fraction: [f64; 2],
    rank: [u32; 2],
}

// SAFETY: plain numbers, laid out as in the kernel.
unsafe impl DeviceRepr for Sample {}
// SAFETY: as above.
unsafe impl DeviceRepr for Percentiles {}

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
    let work = scratch.0.resize(gpu, nchan * WORDS)?;
    gpu.stream().memset_zeros(work).map_err(|e| gpu.error(e))?;
    let (size, channels) = ((height * width) as u32, nchan as u32);
    let sample = Sample::new(height, width);
    let percentiles = Percentiles::new(sample.size, options.percentile);
    // Few enough blocks that adding up their histograms costs nothing.
    let blocks = (sample.size.div_ceil(THREADS * OWN).min(512), channels, 1);
    for pass in 0..3i32 {
        launch!(
            gpu, "normalize", "normalize_select", blocks, (THREADS, 1, 1), SHARED;
            pixels.get(), &mut *work, &sample, &percentiles, &pass
        );
    }
    if options.invert {
        let blocks = (size.div_ceil(THREADS * 16), channels, 1);
        launch!(
            gpu, "normalize", "normalize_varies", blocks, (THREADS, 1, 1), 0;
            pixels.get(), &mut *work, &size
        );
    }
    let (values, nchan, invert) = (size * channels, nchan as i32, i32::from(options.invert));
    launch!(
        gpu, "normalize", "normalize_apply", (values.div_ceil(THREADS), 1, 1), (THREADS, 1, 1), 0;
        pixels.get_mut(), &*work, &values, &nchan, &invert
    );
    Ok(())
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
