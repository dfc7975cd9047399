//! Percentile normalisation (`transforms.normalize_img`), a channel at a time, in place.

use crate::options::Normalize;

/// Above this many values the percentiles are taken from a grid of them, as in the original.
const SAMPLE_ABOVE: usize = 224 * 224 * 224;

/// Values closer than this are no contrast: the channel becomes zeros.
const MIN_CONTRAST: f32 = 1e-3;

/// Brings the low and the high percentile of each channel to 0 and 1, without clipping; then `1 - x` for
/// `invert`. A channel of one value becomes zeros (the original leaves it as it is; a blank image then may
/// get masks).
pub fn normalize(pixels: &mut [f32], height: usize, width: usize, nchan: usize, options: &Normalize) {
    for channel in 0..nchan {
        let sample = sample(pixels, height, width, nchan, channel);
        let (min, max) = sample.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        let low = percentile(sample.clone(), options.percentile[0]);
        let high = percentile(sample, options.percentile[1]);
        let values = pixels.iter_mut().skip(channel).step_by(nchan);
        if min == max || high - low <= MIN_CONTRAST {
            values.for_each(|v| *v = 0.0);
            continue;
        }
        let (range, invert) = (high - low, options.invert);
        values.for_each(|v| {
            let x = (*v - low) / range;
            *v = if invert { 1.0 - x } else { x };
        });
    }
}

fn sample(pixels: &[f32], height: usize, width: usize, nchan: usize, channel: usize) -> Vec<f32> {
    let step = |side: usize| if height * width > SAMPLE_ABOVE { (side / 224).max(1) } else { 1 };
    let (down, across) = (step(height), step(width));
    let rows = pixels.chunks_exact(width * nchan).step_by(down);
    rows.flat_map(|row| row[channel..].iter().step_by(nchan * across)).copied().collect()
}

/// `numpy.percentile` with its linear rule: between the two values around rank `(n - 1) q / 100`.
pub fn percentile(mut values: Vec<f32>, q: f64) -> f32 {
    let rank = (values.len() - 1) as f64 * q / 100.0;
    let (_, &mut low, above) = values.select_nth_unstable_by(rank as usize, f32::total_cmp);
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    let (low, high) = (f64::from(low), f64::from(high));
    (low + (high - low) * rank.fract()) as f32
}
