//! Sizes of masks and their diameters (`utils.diameters`).

use std::collections::BTreeMap;

/// Pixels of each label that is there, but 0, in the order of the labels.
pub fn sizes_of(labels: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    let mut last = (0, 0);
    for label in labels.filter(|&label| label != 0) {
        if label != last.0 {
            *sizes.entry(last.0).or_default() += last.1;
            last = (label, 0);
        }
        last.1 += 1;
    }
    *sizes.entry(last.0).or_default() += last.1;
    sizes.into_iter().filter(|(label, _)| *label != 0).map(|(_, size)| size).collect()
}

/// The diameter of a disc of so many pixels.
pub fn diameter_of(pixels: usize) -> f64 {
    (pixels as f64).sqrt() / (std::f64::consts::PI.sqrt() / 2.0)
}

/// The diameter of a disc with as many pixels as the median mask has; 0 without masks
/// (`utils.diameters`: the median of √pixels, over √π/2).
pub fn median_diameter(mut sizes: Vec<usize>) -> f64 {
    if sizes.is_empty() {
        return 0.0;
    }
    sizes.sort_unstable();
    (diameter_of(sizes[(sizes.len() - 1) / 2]) + diameter_of(sizes[sizes.len() / 2])) / 2.0
}
