//! The diameters of masks.

use ndarray::ArrayView2;

use crate::plan::diameter::{areas_of, diameter_of, median_diameter};

/// The median diameter of the masks in pixels, and the diameter of each mask, in the order of the labels. A mask's
/// diameter is that of a disc with the same area: `2 √(area / π)`. Without masks the median is 0.
///
/// `labels` is `[height, width]`, where 0 is background; the numbers may have gaps. The median is that of cellpose's
/// `utils.diameters`: the median of √area, divided by √π/2.
///
/// ```
/// let labels = ndarray::arr2(&[[1, 1, 0], [1, 1, 7]]);
/// let (median, each) = flowmask::diameters(labels.view());
/// assert_eq!(each.len(), 2);
/// assert!((each[0] - 2.2568).abs() < 1e-4 && (each[1] - 1.1284).abs() < 1e-4);
/// assert!((median - 1.6926).abs() < 1e-4);
/// ```
pub fn diameters(labels: ArrayView2<u32>) -> (f64, Vec<f64>) {
    let areas = areas_of(labels.iter().copied());
    (median_diameter(areas.clone()), areas.into_iter().map(diameter_of).collect())
}
