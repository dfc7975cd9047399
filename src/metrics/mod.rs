//! How well a segmentation agrees with the truth: the metrics of cellpose 3.1.1 and what is reported beside them.
//!
//! All take label images `[height, width]` of equal size, in which 0 is background and every other number is one
//! cell. Numbers may have gaps and may be as large as `u32::MAX`; only which pixels share a number matters. Time
//! and memory grow with the pixels and with the pairs of cells that overlap, not with the pairs that there are.
//!
//! Where a side is empty the original divides by zero. Here no score is ever `NaN`: two images without cells agree
//! perfectly (every score is 1), and when only one has cells every score is 0.

mod assignment;
mod boundary;
mod detection;
mod distance;
mod evaluation;
mod files;
mod flow;
mod overlaps;

pub use boundary::{Boundary, boundary_scores};
pub use detection::Detection;
pub use evaluation::{Evaluation, ImageScores, Method, SCALES, THRESHOLDS};
pub use flow::flow_error;
pub use overlaps::{Cell, Match, Overlaps, Pair};

use ndarray::ArrayView2;

use crate::Result;

/// For each true cell, in the order of their labels, the predicted cell that belongs to it and their IoU. The
/// matching is the best one: first the most pairs of at least 0.5, then the highest sum of IoU. Cells without an
/// overlapping partner stay alone, where the original pairs them with any cell that is left, at an IoU of 0.
///
/// # Errors
/// [`crate::Error::Image`] when the two have different sizes.
///
/// ```
/// let truth = ndarray::array![[1_u32, 1, 0, 7]];
/// let pred = ndarray::array![[5_u32, 0, 0, 0]];
/// let matches = flowmask::metrics::mask_ious(truth.view(), pred.view())?;
/// assert_eq!((matches[0].truth, matches[0].pred, matches[0].iou), (1, Some(5), 0.5));
/// assert_eq!((matches[1].truth, matches[1].pred, matches[1].iou), (7, None, 0.0));
/// # Ok::<(), flowmask::Error>(())
/// ```
pub fn mask_ious(truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<Vec<Match>> {
    Ok(Overlaps::new(truth, pred)?.mask_ious())
}

/// Hits, misses and from them the average precision ([`Detection::ap`]) at each threshold of IoU, in the order of
/// `thresholds`. A threshold of 0 or less is reached by every pair of cells, one above 1 or `NaN` by none.
///
/// # Errors
/// [`crate::Error::Image`] when the two have different sizes.
pub fn average_precision(
    truth: ArrayView2<u32>,
    pred: ArrayView2<u32>,
    thresholds: &[f64],
) -> Result<Vec<Detection>> {
    Ok(Overlaps::new(truth, pred)?.detections(thresholds))
}

/// The pixels that matched cells share ([`mask_ious`]), over all pixels that are cell in either image.
///
/// # Errors
/// [`crate::Error::Image`] when the two have different sizes.
pub fn aggregated_jaccard_index(truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<f64> {
    Ok(Overlaps::new(truth, pred)?.aggregated_jaccard_index())
}
