//! How well a segmentation agrees with the truth: the metrics of cellpose 3.1.1, and other common ones.
//!
//! All functions take two label images `[height, width]` of equal size, in which 0 is background and every other number
//! is one cell. The numbers may have gaps and may be as large as `u32::MAX`. Time and memory grow with the number of
//! pixels and of pairs of cells that overlap, not with all pairs of cells.
//!
//! A volume is scored as its cells are, over all of its planes, by [`ImageScores::of_volume`].
//!
//! When an image has no cells, cellpose divides by zero. Here no score is ever `NaN`: when both images have no cells,
//! every score is 1; when only one has cells, every score is 0.

mod assignment;
mod boundary;
mod detection;
mod distance;
mod evaluation;
mod files;
mod flow;
mod overlaps;
mod parts;

pub use boundary::{Boundary, boundary_scores};
pub use detection::Detection;
pub use evaluation::{Evaluation, ImageScores, Method, SCALES, THRESHOLDS};
pub use flow::flow_error;
pub use overlaps::{Cell, Match, Overlaps, Pair};
pub use parts::Parts;

use ndarray::ArrayView2;

use crate::Result;

/// The predicted cell that is matched with each true cell, and their IoU (intersection over union), in the order of the
/// true labels. The matching has as many pairs with an IoU of at least 0.5 as possible and, among those matchings, the
/// highest sum of IoU. Cells that do not overlap are never matched (cellpose pairs the remaining cells at an IoU of 0).
///
/// # Errors
/// [`crate::Error::Image`] when the two images differ in size, or hold grey values ([`Parts::are_grey_values`]).
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

/// Hits and misses at each IoU threshold, in the order of `thresholds`; [`Detection::ap`] gives the average precision.
/// Every pair of cells reaches a threshold of 0 or less; none reaches one above 1 or `NaN`.
///
/// # Errors
/// [`crate::Error::Image`] when the two images differ in size, or hold grey values ([`Parts::are_grey_values`]).
pub fn average_precision(
    truth: ArrayView2<u32>,
    pred: ArrayView2<u32>,
    thresholds: &[f64],
) -> Result<Vec<Detection>> {
    Ok(Overlaps::new(truth, pred)?.detections(thresholds))
}

/// The aggregated Jaccard index: the number of pixels that matched cells ([`mask_ious`]) share, divided by the number of
/// pixels that belong to a cell in either image.
///
/// # Errors
/// [`crate::Error::Image`] when the two images differ in size, or hold grey values ([`Parts::are_grey_values`]).
pub fn aggregated_jaccard_index(truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<f64> {
    Ok(Overlaps::new(truth, pred)?.aggregated_jaccard_index())
}
