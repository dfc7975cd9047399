//! Sizes of masks.

use ndarray::ArrayView2;

use crate::plan::diameter::{areas_of, diameter_of, median_diameter};

/// The median diameter of the masks in pixels, 0 without masks, and the diameter of each, in the order of the
/// labels: that of a disc with as many pixels, `2 √(pixels / π)`.
///
/// `labels` is `[height, width]`, 0 is background; numbers that are not used are passed over. The median is
/// that of cellpose's `utils.diameters` (the median of √pixels, over √π/2).
///
/// ```
/// let labels = ndarray::arr2(&[[1, 1, 0], [1, 1, 7]]);
/// let (median, each) = flowmask::diameters(labels.view());
/// assert_eq!(each.len(), 2);
/// assert!((each[0] - 2.2568).abs() < 1e-4 && (each[1] - 1.1284).abs() < 1e-4);
/// assert!((median - 1.6926).abs() < 1e-4);
/// ```
pub fn diameters(labels: ArrayView2<u32>) -> (f64, Vec<f64>) {
    let sizes = areas_of(labels.iter().copied());
    (median_diameter(sizes.clone()), sizes.into_iter().map(diameter_of).collect())
}
