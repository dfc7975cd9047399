//! Percentile normalisation of each channel (`transforms.normalize_img`).

use super::kernels::normalize::{self as kernels, Channel, Percentiles, Sample, Shared};
use super::{Buffer, Gpu};
use crate::plan::percentiles::{rank, steps};
use crate::{Compat, Normalize, Result};

/// Threads of a block.
const THREADS: u32 = kernels::THREADS as u32;
/// The number of values that a thread takes. In large images it is higher, since the number of blocks is limited.
const VALUES_PER_THREAD: u32 = 8;

/// Scratch memory of [`normalize`]: the histogram and the percentiles of each channel.
#[derive(Debug, Default)]
pub struct Scratch(Buffer<Channel>);

/// Normalises each channel of `pixels`, `[height, width, nchan]`, in place: the low percentile becomes 0 and the high
/// one 1, as in [`cpu::normalize`](crate::cpu::normalize::normalize).
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn normalize(
    gpu: &Gpu,
    pixels: &mut Buffer<f32>,
    height: usize,
    width: usize,
    nchan: usize,
    how: (&Normalize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    scratch.0.zeros(gpu, nchan)?;
    select(gpu, pixels, &Sample::new(height, width), nchan, how, scratch)?;
    apply(gpu, pixels, height * width, nchan, how.0, scratch)
}

/// Like [`normalize`], for `count` pixels, `[count, nchan]`, whose percentiles are those of all values of `sample`,
/// `[., nchan]`, or of the pixels themselves.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub(super) fn normalize_by(
    gpu: &Gpu,
    pixels: &mut Buffer<f32>,
    sample: Option<&Buffer<f32>>,
    count: usize,
    nchan: usize,
    how: (&Normalize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    scratch.0.zeros(gpu, nchan)?;
    let sample = sample.unwrap_or(pixels);
    select(gpu, sample, &Sample::line(sample.len() / nchan), nchan, how, scratch)?;
    apply(gpu, pixels, count, nchan, how.0, scratch)
}

/// Finds the percentiles of each channel.
fn select(
    gpu: &Gpu,
    pixels: &Buffer<f32>,
    sample: &Sample,
    nchan: usize,
    (options, compat): (&Normalize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    let percentiles = Percentiles::new(sample.size, options.percentile);
    let original = i32::from(compat == Compat::V3_1_1);
    // With at most 512 blocks, the time to add up their histograms does not count.
    let grid = (sample.size.div_ceil(THREADS * VALUES_PER_THREAD).min(512), nchan as u32, 1);
    let (block, shared) = ((THREADS, 1, 1), size_of::<Shared>() as u32);
    let (pixels, states) = (pixels.get(), scratch.0.get_mut());
    for pass in 0..kernels::PASSES {
        kernels::normalize_select(
            gpu,
            grid,
            block,
            shared,
            pixels,
            states,
            sample,
            &percentiles,
            pass,
            original,
        )?;
    }
    Ok(())
}

/// Scales `count` pixels by the percentiles that were found.
fn apply(
    gpu: &Gpu,
    pixels: &mut Buffer<f32>,
    count: usize,
    nchan: usize,
    options: &Normalize,
    scratch: &mut Scratch,
) -> Result<()> {
    let (states, block) = (scratch.0.get_mut(), (THREADS, 1, 1));
    let (size, channels) = (count as u32, nchan as u32);
    if options.invert {
        let grid = (size.div_ceil(THREADS * kernels::LOOKS as u32), channels, 1);
        kernels::normalize_varies(gpu, grid, block, 0, pixels.get(), states, size)?;
    }
    let (values, invert) = (size * channels, i32::from(options.invert));
    let grid = (values.div_ceil(THREADS), 1, 1);
    kernels::normalize_apply(gpu, grid, block, 0, pixels.get_mut(), states, values, nchan as i32, invert)
}

/// Scales each channel of `pixels`, `[height, width, nchan]`, in place: of the two numbers that `ranges` has for it the first
/// becomes 0 and the second 1. Channels behind those become zeros.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn scale(
    gpu: &Gpu,
    pixels: &mut Buffer<f32>,
    size: usize,
    nchan: usize,
    ranges: &[[f64; 2]],
    invert: bool,
    scratch: &mut Scratch,
) -> Result<()> {
    let state = |channel: usize| {
        let [low, high] = ranges.get(channel).copied().unwrap_or_default();
        Channel {
            prefix: Default::default(),
            rank: Default::default(),
            blocks: Default::default(),
            // What does not vary is not inverted.
            varies: (channel < ranges.len()).into(),
            low: low as f32,
            range: (high - low) as f32,
            histogram: [[[0; kernels::BINS as usize]; kernels::RANKS as usize]; kernels::PASSES as usize],
        }
    };
    scratch.0.upload(gpu, &(0..nchan).map(state).collect::<Vec<_>>())?;
    let (values, invert) = ((size * nchan) as u32, i32::from(invert));
    let (grid, block) = ((values.div_ceil(THREADS), 1, 1), (THREADS, 1, 1));
    kernels::normalize_apply(
        gpu,
        grid,
        block,
        0,
        pixels.get_mut(),
        scratch.0.get(),
        values,
        nchan as i32,
        invert,
    )
}

impl Sample {
    /// The pixels from which the percentiles are computed: a regular grid in a large image, all pixels of a small one.
    fn new(height: usize, width: usize) -> Self {
        let (down, across) = steps(height, width);
        if (down, across) == (1, 1) {
            return Sample::line(height * width);
        }
        let columns = width.div_ceil(across);
        let size = height.div_ceil(down) * columns;
        let [size, columns, down, across, width] = [size, columns, down, across, width].map(|n| n as u32);
        Sample { size, columns, down, across, width }
    }

    /// All of `count` pixels, as one long row, which saves divisions.
    fn line(count: usize) -> Self {
        let count = count as u32;
        Sample { size: count, columns: count, down: 1, across: 1, width: count }
    }
}

impl Percentiles {
    fn new(size: u32, q: [f64; 2]) -> Self {
        let [low, high] = q.map(|q| rank(size as usize, q));
        Percentiles { fraction: [low.1, high.1], rank: [low.0 as u32, high.0 as u32] }
    }
}
