//! What is summed over the pixels of each cell.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::Image;
use crate::measure::{Sums, runs};

/// The [`Sums`] of each label but 0, in ascending order, of planes `[height, width]` of equal size. `image` has as many planes,
/// of the same size, or none: then there are no sums of intensities.
///
/// Unwinds with [`OutOfMemory`](crate::OutOfMemory) when there is too little memory.
pub fn measure(planes: &[ArrayView2<u32>], image: &[Image]) -> Vec<Sums> {
    let runs = runs::runs(planes, None);
    runs::cells(&runs).into_par_iter().map(|cell| Sums::of(cell, image)).collect()
}
