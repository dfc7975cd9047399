//! Percentile normalisation of each channel (`transforms.normalize_img`).

use rayon::prelude::*;

use crate::memory::zeros;
use crate::options::{Compat, Normalize};
use crate::plan::percentiles::{min_contrast, rank, steps, steps_of_volume};

/// The normalisation of a channel: its low percentile becomes 0 and its high percentile 1, without clipping. If they
/// differ by no more than the rounding of their values (16 spacings of single precision at the larger one), all values
/// become 0; with [`Compat::V3_1_1`], if they differ by no more than 0.001. With `invert`, each value `x` becomes
/// `1 - x` after that.
///
/// A channel in which all values are equal becomes zeros, also with `invert`. (The original does not change it, so that
/// a blank image may get masks.)
///
/// With `lowhigh`, its numbers are in place of the percentiles, whatever the values are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    low: f32,
    /// The distance of the percentiles; 0 where they have no contrast.
    range: f32,
    invert: bool,
    constant: bool,
}

impl Levels {
    /// All values become 0.
    pub(crate) const ZEROS: Levels = Levels { low: 0.0, range: 0.0, invert: false, constant: true };

    fn fixed([low, high]: [f64; 2], invert: bool) -> Self {
        Levels { low: low as f32, range: (high - low) as f32, invert, constant: false }
    }

    /// Normalises a value of the channel.
    pub fn apply(&self, value: f32) -> f32 {
        if self.constant {
            return 0.0;
        }
        let x = if self.range > 0.0 { (value - self.low) / self.range } else { 0.0 };
        if self.invert { 1.0 - x } else { x }
    }
}

/// The levels of each channel of an image. `row(y, out)` must write row `y` of the image, `[width, nchan]`.
pub fn levels(
    row: impl Fn(usize, &mut [f32]) + Sync,
    height: usize,
    width: usize,
    nchan: usize,
    options: &Normalize,
    compat: Compat,
) -> Vec<Levels> {
    let (down, across) = steps(height, width);
    let sampled = (0..height).step_by(down).collect();
    levels_of_rows(row, height, width, nchan, &Sample { rows: sampled, across }, options, compat)
}

/// The levels of each channel of a volume, `[depth, height, width]`, all planes together. `row(plane, y, out)` must write a
/// row of a plane.
pub(crate) fn levels_of_volume(
    row: impl Fn(usize, usize, &mut [f32]) + Sync,
    [depth, height, width]: [usize; 3],
    nchan: usize,
    options: &Normalize,
    compat: Compat,
) -> Vec<Levels> {
    let [far, down, across] = steps_of_volume([depth, height, width]);
    let rows = |z: usize| (0..height).step_by(down).map(move |y| z * height + y);
    let sample = Sample { rows: (0..depth).step_by(far).flat_map(rows).collect(), across };
    let row = |i: usize, out: &mut [f32]| row(i / height, i % height, out);
    levels_of_rows(row, depth * height, width, nchan, &sample, options, compat)
}

/// The pixels that percentiles are taken from.
struct Sample {
    rows: Vec<usize>,
    /// The distance of two columns.
    across: usize,
}

/// The levels of rows, of which `row` writes one.
fn levels_of_rows(
    row: impl Fn(usize, &mut [f32]) + Sync,
    height: usize,
    width: usize,
    nchan: usize,
    Sample { rows, across }: &Sample,
    options: &Normalize,
    compat: Compat,
) -> Vec<Levels> {
    if let Some(lowhigh) = options.lowhigh {
        return lowhigh.into_iter().take(nchan).map(|range| Levels::fixed(range, options.invert)).collect();
    }
    let across = *across;
    let scratch = || vec![0.0; width * nchan];
    // The values of a channel in the rows of the sample and every `across`th column.
    let sample = |channel: usize| {
        let columns = width.div_ceil(across);
        let mut values = zeros(rows.len() * columns);
        let lines = values.par_chunks_exact_mut(columns).zip(rows);
        lines.for_each_init(scratch, |pixels, (values, &y)| {
            row(y, pixels);
            let pixels = pixels[channel..].iter().step_by(nchan * across);
            values.iter_mut().zip(pixels).for_each(|(value, pixel)| *value = *pixel);
        });
        values
    };
    // Whether all values of a channel equal this one.
    let all = |channel: usize, value: f32| {
        let rows = (0..height).into_par_iter().map_init(scratch, |pixels, y| {
            row(y, pixels);
            pixels[channel..].iter().step_by(nchan).all(|v| *v == value)
        });
        rows.all(|same| same)
    };
    let level = |channel: usize| {
        let mut sample = sample(channel);
        let every = rows.len() == height && across == 1;
        let constant = sample.iter().all(|v| *v == sample[0]) && (every || all(channel, sample[0]));
        let [low, high] = match constant {
            true => [0.0; 2],
            false => options.percentile.map(|q| percentile(&mut sample, q)),
        };
        let contrast = high - low > min_contrast([low, high], compat);
        let range = if contrast { high - low } else { 0.0 };
        Levels { low, range, invert: options.invert, constant }
    };
    (0..nchan).map(level).collect()
}

/// Normalises the channels of `pixels`, `[height, width, nchan]`, in place.
pub fn normalize(
    pixels: &mut [f32],
    height: usize,
    width: usize,
    nchan: usize,
    options: &Normalize,
    compat: Compat,
) {
    let length = width * nchan;
    let row = |y: usize, out: &mut [f32]| out.copy_from_slice(&pixels[y * length..][..length]);
    let levels = levels(row, height, width, nchan, options, compat);
    pixels.par_chunks_exact_mut(length).for_each(|row| apply(&levels, row));
}

/// Normalises pixels, `[., nchan]`; without levels they stay unchanged.
pub(crate) fn apply(levels: &[Levels], values: &mut [f32]) {
    for pixel in values.chunks_exact_mut(levels.len().max(1)) {
        pixel.iter_mut().zip(levels).for_each(|(value, levels)| *value = levels.apply(*value));
    }
}

/// The percentile `q` (0 to 100) as `numpy.percentile` computes it: linear between the two values around the rank
/// `(n - 1) q / 100`. Reorders the values. Panics if there are none.
pub fn percentile(values: &mut [f32], q: f64) -> f32 {
    let (rank, fraction) = rank(values.len(), q);
    let (_, &mut low, above) = values.select_nth_unstable_by(rank, f32::total_cmp);
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    let (low, high) = (f64::from(low), f64::from(high));
    (low + (high - low) * fraction) as f32
}
