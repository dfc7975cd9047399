//! Boundary scores: how well outlines agree within a tolerance.

use ndarray::{ArrayView2, ArrayView3, Axis};
use rayon::prelude::*;

use super::detection::of;
use super::distance::distances;
use super::overlaps::{check_sizes, dense};
use super::parts::Parts;
use crate::cpu::components::{Bounds, areas, bounds, outside};
use crate::plan::diameter::median_diameter;
use crate::{Error, Result};

/// The largest sum of the areas of the boxes around cells that is searched for outlines, which takes seconds. The boxes of
/// real cells cover an image a few times at most.
const MAX_BOXES: u64 = 1 << 32;

/// The agreement of outlines at one tolerance, each number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundary {
    /// The tolerance, as a fraction of the median diameter of the true cells.
    pub scale: f64,
    /// The fraction of the predicted boundary that is true.
    pub precision: f64,
    /// The fraction of the true boundary that was predicted.
    pub recall: f64,
    /// The harmonic mean of precision and recall; 0 when both are 0.
    pub f: f64,
}

/// Boundary precision, recall and F score at each scale, as cellpose defines them. The outlines of both images (the outer
/// pixels of each cell, but not those at its holes) are thickened by a disc. The radius of the disc is the scale times
/// the median diameter of the true cells, and at least 1 pixel. Then the pixels of the two thick outlines are compared.
///
/// # Errors
/// [`Error::Image`] when the two images differ in size, when one holds grey values
/// ([`Parts::are_grey_values`](super::Parts::are_grey_values)), or when the boxes around the labels cover it many times.
pub fn boundary_scores(
    truth: ArrayView2<u32>,
    pred: ArrayView2<u32>,
    scales: &[f64],
) -> Result<Vec<Boundary>> {
    let (truth, pred) = (truth.insert_axis(Axis(0)), pred.insert_axis(Axis(0)));
    check_sizes(truth, pred)?;
    Parts::new(truth).check("truth")?;
    Parts::new(pred).check("prediction")?;
    boundaries(truth, pred, scales)
}

/// The boundary scores of a volume `[planes, height, width]` that was checked. Outlines and distances are within planes;
/// the diameter is the median of the cells' sections.
pub(super) fn boundaries(
    truth: ArrayView3<u32>,
    pred: ArrayView3<u32>,
    scales: &[f64],
) -> Result<Vec<Boundary>> {
    let width = truth.dim().2;
    let truth: Vec<Vec<u32>> = truth.outer_iter().map(|plane| dense(plane).0).collect();
    let sections = truth.iter().flat_map(|plane| areas(plane).split_off(1)).collect();
    let diameter = median_diameter(sections);
    let radii: Vec<f64> = scales.iter().map(|scale| (scale * diameter).max(1.0)).collect();
    let plane = |(z, truth): (usize, Vec<u32>)| {
        let pred = dense(pred.index_axis(Axis(0), z)).0;
        let squares = |labels: &[u32]| Ok(distances(&outlines(labels, width)?, width));
        Ok(counts(&squares(&truth)?, &squares(&pred)?, &radii))
    };
    let none = || vec![[0; 3]; scales.len()];
    let sum = |a: Vec<[usize; 3]>, b: Vec<[usize; 3]>| {
        a.iter().zip(b).map(|(a, b)| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]).collect()
    };
    let counts = truth.into_par_iter().enumerate().map(plane);
    let counts = counts.try_reduce(none, |a, b| Ok(sum(a, b)))?;
    let score = |(&scale, [both, only_pred, only_truth]): (&f64, [usize; 3])| {
        let (precision, recall) = (of(both, only_pred, only_truth), of(both, only_truth, only_pred));
        let sum = precision + recall;
        let f = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Boundary { scale, precision, recall, f }
    };
    Ok(scales.iter().zip(counts).map(score).collect())
}

/// For each radius the number of pixels that are near both outlines, only the predicted one, and only the true one.
fn counts(to_truth: &[u64], to_pred: &[u64], radii: &[f64]) -> Vec<[usize; 3]> {
    let count = |&radius: &f64| {
        let near = |square: u64| (square as f64).sqrt() <= radius;
        let mut counts = [0; 3];
        for (&truth, &pred) in to_truth.iter().zip(to_pred) {
            match (near(truth), near(pred)) {
                (true, true) => counts[0] += 1,
                (false, true) => counts[1] += 1,
                (true, false) => counts[2] += 1,
                (false, false) => {}
            }
        }
        counts
    };
    radii.iter().map(count).collect()
}

/// The pixels on the outer outline of each cell. `labels` are 1 to n. A pixel is on the outline when one of its four
/// neighbours is outside of the cell; holes count as inside, and beyond the border of the image is outside. This is
/// cellpose's `utils.masks_to_outlines`, which takes the outer contours of OpenCV.
fn outlines(labels: &[u32], width: usize) -> Result<Vec<bool>> {
    let boxes = bounds(labels, width);
    let pixels = |bounds: &Bounds| bounds.rows.len() as u64 * bounds.columns.len() as u64;
    let all = boxes.iter().flatten().map(pixels).fold(0, u64::saturating_add);
    if all > MAX_BOXES.max((labels.len() as u64).saturating_mul(16)) {
        return Err(Error::Image(
            "the labels are scattered over the image like grey values: is it a label image?".into(),
        ));
    }
    let outline = |(i, bounds): (usize, &Option<Bounds>)| match bounds {
        Some(bounds) => outline(labels, width, i as u32 + 1, bounds),
        None => Vec::new(),
    };
    let pixels: Vec<Vec<usize>> = boxes.par_iter().enumerate().map(outline).collect();
    let mut outlines = vec![false; labels.len()];
    pixels.into_iter().flatten().for_each(|pixel| outlines[pixel] = true);
    Ok(outlines)
}

fn outline(labels: &[u32], width: usize, label: u32, bounds: &Bounds) -> Vec<usize> {
    let outside = outside(labels, width, label, bounds, &mut Vec::new());
    let (height, across) = (bounds.rows.len(), bounds.columns.len());
    // Everything beyond the box is outside. A step below 0 wraps to a very large number, so it is beyond the box too.
    let is_outside = |y: usize, x: usize| y >= height || x >= across || outside[y * across + x];
    let touches = |&(y, x): &(usize, usize)| {
        is_outside(y.wrapping_sub(1), x)
            || is_outside(y + 1, x)
            || is_outside(y, x.wrapping_sub(1))
            || is_outside(y, x + 1)
    };
    let pixels = (0..height).flat_map(|y| (0..across).map(move |x| (y, x)));
    let pixel = |(y, x): (usize, usize)| (bounds.rows.start + y) * width + bounds.columns.start + x;
    pixels.filter(|&(y, x)| labels[pixel((y, x))] == label).filter(touches).map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_go_along_the_border_but_not_along_holes() {
        let labels = [
            1, 1, 1, 1, 1, 0, //
            1, 1, 1, 1, 1, 0, //
            1, 1, 0, 2, 1, 3, //
            1, 1, 1, 1, 1, 3, //
            1, 1, 1, 1, 1, 3,
        ];
        let expected = [
            1, 1, 1, 1, 1, 0, //
            1, 0, 0, 0, 1, 0, //
            1, 0, 0, 1, 1, 1, //
            1, 0, 0, 0, 1, 1, //
            1, 1, 1, 1, 1, 1,
        ];
        assert_eq!(outlines(&labels, 6).unwrap(), expected.map(|v| v == 1));
    }

    #[test]
    fn a_photograph_is_not_a_label_image() {
        let noise =
            |n: u32| -> Vec<u32> { (0..1_210_000_u32).map(|i| i.wrapping_mul(2_654_435_769) % n).collect() };
        assert!(outlines(&noise(4000), 1100).unwrap_err().to_string().contains("grey values"));
        assert!(outlines(&noise(20), 1100).is_ok());
    }
}
