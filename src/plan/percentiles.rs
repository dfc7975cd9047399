//! The sample of pixels that percentiles are taken from, the rank of a percentile in it, and the least contrast.

use crate::Compat;

/// In an image with more pixels than this, percentiles are taken from a grid of pixels, as in the original.
const SAMPLE_ABOVE: usize = 224 * 224 * 224;

/// Distance in rows and in columns from one pixel of the sample to the next.
pub(crate) fn steps(height: usize, width: usize) -> (usize, usize) {
    let step = |length: usize| if height * width > SAMPLE_ABOVE { (length / 224).max(1) } else { 1 };
    (step(height), step(width))
}

/// Distance in planes, in rows and in columns from one voxel of the sample of a volume to the next.
pub(crate) fn steps_of_volume([depth, height, width]: [usize; 3]) -> [usize; 3] {
    let step = |length: usize, least: usize| (length / least).max(1);
    match depth.saturating_mul(height).saturating_mul(width) > SAMPLE_ABOVE {
        true => [step(depth, 50), step(height, 224), step(width, 224)],
        false => [1; 3],
    }
}

/// The bytes of the sample of a volume.
pub(crate) fn sample_of_volume(size: [usize; 3]) -> u64 {
    let steps = steps_of_volume(size);
    let voxels: u64 = size.iter().zip(steps).map(|(length, step)| length.div_ceil(step) as u64).product();
    voxels.saturating_mul(size_of::<f32>() as u64)
}

/// The rank of the percentile `q` (0 to 100) in `len` sorted values: an index, and a fraction of the way to the next.
pub(crate) fn rank(len: usize, q: f64) -> (usize, f64) {
    let rank = (len - 1) as f64 * q / 100.0;
    (rank as usize, rank.fract())
}

/// How many times the spacing of single precision at the larger percentile the two percentiles must be apart. Pixels
/// that are equal up to rounding, such as the mean of several constant channels, are a few spacings apart.
const NOISE: f32 = 16.0;

/// Two percentiles that are no further apart than this have no contrast: their channel becomes zeros. It is the rounding
/// of the values themselves, so that an image that was divided by 65535 is normalised as it was before. The original
/// has a constant, whatever the values are.
pub(crate) fn min_contrast([low, high]: [f32; 2], compat: Compat) -> f32 {
    match compat {
        Compat::None => (NOISE * f32::EPSILON) * low.abs().max(high.abs()),
        Compat::V3_1_1 => 1e-3,
    }
}
