//! Which values the percentiles are taken from, and where they lie among them.

/// Above this many values the percentiles are taken from a grid of them, as in the original.
const SAMPLE_ABOVE: usize = 224 * 224 * 224;

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
