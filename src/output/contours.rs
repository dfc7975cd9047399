//! The outlines of cells as chains of pixels, as OpenCV finds them.

use std::collections::{BTreeMap, HashSet};

#[cfg(feature = "files")]
use ndarray::Array2;
use ndarray::ArrayView2;
use rayon::prelude::*;

use super::starts::Plane;
use super::tracer::{Ends, PASSED, Tracer, is_top};

/// The outline of a cell as its outermost pixels, each of which is one of the eight neighbours of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contour {
    /// The label of the cell.
    pub label: u32,
    /// The pixels as `[x, y]`, from the first in row-major order on, counterclockwise on the screen; the last is a neighbour
    /// of the first. None for a cell whose outline has fewer than five.
    pub points: Vec<[u32; 2]>,
}

/// Shorter outlines are left out, as cellpose does (`utils.outlines_list`).
const MIN_POINTS: usize = 5;

/// The outline of each cell in `masks`, `[height, width]` with 0 for background, in ascending order of the labels.
///
/// They are those of cellpose's `utils.outlines_list`: the points of `cv2.findContours` with `RETR_EXTERNAL` and
/// `CHAIN_APPROX_NONE` in the same order. Pixels that touch at a corner are connected, holes have no outline, and of a cell in
/// several parts the outline with the most points counts, of equal ones that which begins last. Where a cell is one
/// pixel wide, its outline goes along it and back. Cellpose leaves out the cell of the smallest label if an image has no
/// background; here it is among the others.
///
/// Time and memory are linear in the number of pixels.
///
/// ```
/// let contours = flowmask::output::contours(ndarray::array![[0, 7, 7, 7], [0, 7, 7, 7]].view());
/// assert_eq!((contours.len(), contours[0].label), (1, 7));
/// assert_eq!(contours[0].points, [[1, 0], [1, 1], [2, 1], [3, 1], [3, 0], [2, 0]]);
/// ```
pub fn contours(masks: ArrayView2<u32>) -> Vec<Contour> {
    let mut longest = BTreeMap::<u32, Vec<[u32; 2]>>::new();
    trace_all(&Plane::new(masks), |label, points| {
        // OpenCV lists the outlines from the last to the first.
        if longest.get(&label).is_none_or(|other| points.len() >= other.len()) {
            longest.insert(label, points);
        }
    });
    let long = |points: Vec<_>| if points.len() < MIN_POINTS { Vec::new() } else { points };
    longest.into_iter().map(|(label, points)| Contour { label, points: long(points) }).collect()
}

/// The pixels on the outlines of all parts of all cells, `[height, width]`, as cellpose's `utils.masks_to_outlines`.
#[cfg(feature = "files")]
pub(super) fn traced(masks: ArrayView2<u32>) -> Array2<bool> {
    let mut passed = Array2::from_elem(masks.dim(), false);
    let mut mark = |&[x, y]: &[u32; 2]| passed[(y as usize, x as usize)] = true;
    trace_all(&Plane::new(masks), |_, points| points.iter().for_each(&mut mark));
    passed
}

/// Traces the outlines of all parts that are not in a hole of their label. Those of a label come in row-major order of their
/// first pixels.
fn trace_all(plane: &Plane, mut found: impl FnMut(u32, Vec<[u32; 2]>)) {
    let tracer = Tracer::new(plane);
    let starts = plane.starts(is_top);
    // The first part of each label is in no hole.
    let mut seen = HashSet::new();
    let first: Vec<usize> = starts.iter().copied().filter(|&at| seen.insert(plane.labels[at])).collect();
    let outlines: Vec<_> = first.par_iter().map(|&start| tracer.trace(start)).collect();
    first.into_iter().zip(outlines).for_each(|(start, points)| found(plane.labels[start], points));
    // Of the others there are few: further parts, and starts that lie in holes.
    let mut ends = Ends::default();
    for start in starts {
        if !tracer.has(start, PASSED) && tracer.is_outside(start, &mut ends) {
            found(plane.labels[start], tracer.trace(start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn points(masks: Array2<u32>) -> Vec<(u32, Vec<[u32; 2]>)> {
        contours(masks.view()).into_iter().map(|contour| (contour.label, contour.points)).collect()
    }

    #[test]
    fn lines_are_passed_on_both_sides() {
        let line = vec![[0, 0], [1, 1], [2, 2], [3, 2], [2, 2], [1, 1]];
        assert_eq!(points(array![[8, 0, 0, 0], [0, 8, 0, 0], [0, 0, 8, 8]]), [(8, line)]);
    }

    #[test]
    fn few_points_are_none() {
        assert_eq!(points(array![[3, 0, 2, 2], [0, 0, 2, 2]]), [(2, vec![]), (3, vec![])]);
        assert_eq!(points(Array2::zeros((3, 0))), []);
    }

    #[test]
    fn the_last_of_the_longest_parts_counts() {
        let masks = array![
            [1, 1, 1, 0, 1, 1, 1],
            [1, 1, 1, 0, 1, 1, 1],
            [0, 0, 0, 0, 0, 0, 0],
            [1, 1, 1, 1, 0, 0, 0]
        ];
        let second = vec![[4, 0], [4, 1], [5, 1], [6, 1], [6, 0], [5, 0]];
        let line = vec![[0, 3], [1, 3], [2, 3], [3, 3], [2, 3], [1, 3]];
        assert_eq!(points(masks.clone()), [(1, line)]);
        assert_eq!(points(masks.slice(ndarray::s![..2, ..]).to_owned()), [(1, second)]);
    }

    /// The part inside has more points than the ring around it.
    #[test]
    fn parts_in_holes_do_not_count() {
        let mut masks = Array2::from_elem((13, 13), 5);
        masks.slice_mut(ndarray::s![1..12, 1..12]).fill(0);
        for comb in [2, 4, 6, 8, 10] {
            masks.slice_mut(ndarray::s![2..11, comb]).fill(5);
        }
        masks.slice_mut(ndarray::s![10, 2..11]).fill(5);
        let found = points(masks);
        assert_eq!((found.len(), found[0].1.len(), found[0].1[0]), (1, 48, [0, 0]));
    }
}
