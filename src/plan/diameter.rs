//! Areas of masks and their diameters (`utils.diameters`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The diameters of cells, in pixels, that options, models and estimates can have. What lies beyond is no diameter of a
/// cell, but one in another unit or a damaged number.
pub const DIAMETERS: RangeInclusive<f64> = 0.01..=1e5;

/// The area in pixels of each label that occurs, in the order of the labels and without 0.
pub fn areas_of(labels: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut areas: BTreeMap<u32, usize> = BTreeMap::new();
    let mut last = (0, 0);
    for label in labels.filter(|&label| label != 0) {
        if label != last.0 {
            *areas.entry(last.0).or_default() += last.1;
            last = (label, 0);
        }
        last.1 += 1;
    }
    *areas.entry(last.0).or_default() += last.1;
    areas.into_iter().filter(|(label, _)| *label != 0).map(|(_, area)| area).collect()
}

/// The diameter in pixels of a disc with this area.
pub fn diameter_of(area: usize) -> f64 {
    (area as f64).sqrt() / (std::f64::consts::PI.sqrt() / 2.0)
}

/// The median diameter of masks with these areas; 0 without masks (`utils.diameters`: the median of √area, over √π/2).
pub fn median_diameter(mut areas: Vec<usize>) -> f64 {
    if areas.is_empty() {
        return 0.0;
    }
    areas.sort_unstable();
    (diameter_of(areas[(areas.len() - 1) / 2]) + diameter_of(areas[areas.len() / 2])) / 2.0
}
