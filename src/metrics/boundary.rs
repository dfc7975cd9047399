//! Boundary scores: how well outlines agree within a tolerance.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::detection::of;
use super::distance::distances;
use super::overlaps::{check_sizes, dense};
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
/// [`Error::Image`] when the two images differ in size, or when thousands of labels are scattered over a large image, as
/// the grey values of a photograph are.
pub fn boundary_scores(
    truth: ArrayView2<u32>,
    pred: ArrayView2<u32>,
    scales: &[f64],
) -> Result<Vec<Boundary>> {
    check_sizes(truth, pred)?;
    let width = truth.ncols();
    let (truth, pred) = (dense(truth).0, dense(pred).0);
    let diameter = median_diameter(areas(&truth)[1..].to_vec());
    let squares = |labels: &[u32]| Ok(distances(&outlines(labels, width)?, width));
    let (to_truth, to_pred) = (squares(&truth)?, squares(&pred)?);
    let score = |&scale: &f64| {
        let radius = (scale * diameter).max(1.0);
        let near = |square: u64| (square as f64).sqrt() <= radius;
        let [mut both, mut only_pred, mut only_truth] = [0_usize; 3];
        for (&truth, &pred) in to_truth.iter().zip(&to_pred) {
            match (near(truth), near(pred)) {
                (true, true) => both += 1,
                (false, true) => only_pred += 1,
                (true, false) => only_truth += 1,
                (false, false) => {}
            }
        }
        let (precision, recall) = (of(both, only_pred, only_truth), of(both, only_truth, only_pred));
        let sum = precision + recall;
        let f = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Boundary { scale, precision, recall, f }
    };
    Ok(scales.iter().map(score).collect())
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
