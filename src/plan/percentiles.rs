//! The sample of pixels that percentiles are taken from, and the rank of a percentile in it.

/// In an image with more pixels than this, percentiles are taken from a grid of pixels, as in the original.
const SAMPLE_ABOVE: usize = 224 * 224 * 224;

/// Distance in rows and in columns from one pixel of the sample to the next.
pub(crate) fn steps(height: usize, width: usize) -> (usize, usize) {
    let step = |length: usize| if height * width > SAMPLE_ABOVE { (length / 224).max(1) } else { 1 };
    (step(height), step(width))
}

/// The rank of the percentile `q` (0 to 100) in `len` sorted values: an index, and a fraction of the way to the next.
pub(crate) fn rank(len: usize, q: f64) -> (usize, f64) {
    let rank = (len - 1) as f64 * q / 100.0;
    (rank as usize, rank.fract())
}
