//! Percentile normalisation (`transforms.normalize_img`), a channel at a time, in place.

use rayon::prelude::*;

use crate::options::Normalize;

/// Above this many values the percentiles are taken from a grid of them, as in the original.
const SAMPLE_ABOVE: usize = 224 * 224 * 224;

/// Values closer than this are no contrast: the channel becomes zeros.
const MIN_CONTRAST: f32 = 1e-3;

/// Brings the low and the high percentile of each channel to 0 and 1, without clipping, or all to 0 where they
/// are too close; then takes `1 - x` for `invert`. `pixels` is `[height, width, nchan]`.
///
/// A channel of one value becomes zeros, inverted or not (the original leaves it as it is, so that a blank image
/// may get masks).
pub fn normalize(pixels: &mut [f32], height: usize, width: usize, nchan: usize, options: &Normalize) {
    for channel in 0..nchan {
        let first = pixels[channel];
        if pixels.iter().skip(channel).step_by(nchan).all(|&v| v == first) {
            pixels.iter_mut().skip(channel).step_by(nchan).for_each(|v| *v = 0.0);
            continue;
        }
        let [low, high] = percentiles(pixels, height, width, nchan, channel, options.percentile);
        let (range, invert) = (high - low, options.invert);
        pixels.par_chunks_exact_mut(width * nchan).for_each(|row| {
            for v in row.iter_mut().skip(channel).step_by(nchan) {
                let x = if range > MIN_CONTRAST { (*v - low) / range } else { 0.0 };
                *v = if invert { 1.0 - x } else { x };
            }
        });
    }
}

fn percentiles(
    pixels: &[f32],
    height: usize,
    width: usize,
    nchan: usize,
    channel: usize,
    q: [f64; 2],
) -> [f32; 2] {
    let mut sample = sample(pixels, height, width, nchan, channel);
    q.map(|q| percentile(&mut sample, q))
}

fn sample(pixels: &[f32], height: usize, width: usize, nchan: usize, channel: usize) -> Vec<f32> {
    let (down, across) = steps(height, width);
    let rows = pixels.chunks_exact(width * nchan).step_by(down);
    rows.flat_map(|row| row[channel..].iter().step_by(nchan * across)).copied().collect()
}

/// Rows and columns from one sample to the next.
pub(crate) fn steps(height: usize, width: usize) -> (usize, usize) {
    let step = |side: usize| if height * width > SAMPLE_ABOVE { (side / 224).max(1) } else { 1 };
    (step(height), step(width))
}

/// The index of the percentile among `len` sorted values, and how far it is from there to the next.
pub(crate) fn rank(len: usize, q: f64) -> (usize, f64) {
    let rank = (len - 1) as f64 * q / 100.0;
    (rank as usize, rank.fract())
}

/// `numpy.percentile` with its linear rule: between the two values around rank `(n - 1) q / 100`. Reorders the values,
/// of which there must be one.
pub fn percentile(values: &mut [f32], q: f64) -> f32 {
    let (rank, fraction) = rank(values.len(), q);
    let (_, &mut low, above) = values.select_nth_unstable_by(rank, f32::total_cmp);
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    let (low, high) = (f64::from(low), f64::from(high));
    (low + (high - low) * fraction) as f32
}
