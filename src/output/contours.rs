//! The outlines of cells as chains of pixels, as OpenCV finds them.

use std::collections::{BTreeMap, HashMap, HashSet};

#[cfg(feature = "files")]
use ndarray::Array2;
use ndarray::ArrayView2;

use super::starts::{Plane, Rows};

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
    let plane = Plane::new(&masks);
    let mut longest = BTreeMap::<u32, Vec<[u32; 2]>>::new();
    trace_all(&plane, |label, points| {
        // OpenCV lists the outlines from the last to the first.
        if longest.get(&label).is_none_or(|other| points.len() >= other.len()) {
            longest.insert(label, points.to_vec());
        }
    });
    let long = |points: Vec<_>| if points.len() < MIN_POINTS { Vec::new() } else { points };
    longest.into_iter().map(|(label, points)| Contour { label, points: long(points) }).collect()
}

/// The pixels on the outlines of all parts of all cells, `[height, width]`, as cellpose's `utils.masks_to_outlines`.
#[cfg(feature = "files")]
pub(super) fn traced(masks: ArrayView2<u32>) -> Array2<bool> {
    let plane = Plane::new(&masks);
    let passed = trace_all(&plane, |_, _| {});
    Array2::from_shape_fn(masks.dim(), |(y, x)| passed[y * plane.width + x])
}

/// Traces the outlines of all parts that are not in a hole of their label, and tells which pixels they passed.
fn trace_all<'a>(plane: &'a Plane<'a>, mut found: impl FnMut(u32, &[[u32; 2]])) -> Vec<bool> {
    let mut tracer = Tracer::new(plane);
    let (mut seen, mut points) = (HashSet::new(), Vec::new());
    for start in plane.starts(is_top) {
        let label = plane.labels()[start];
        if tracer.passed[start] || seen.contains(&label) && !tracer.is_outside(start) {
            continue;
        }
        seen.insert(label);
        tracer.trace(start, &mut points);
        found(label, &points);
    }
    tracer.passed
}

/// Whether the pixel may be the first of a part in row-major order: neither to its left nor above it is a pixel of its label.
fn is_top(Rows { row, above }: &Rows, x: usize) -> bool {
    let label = row[x];
    let upper = &above[x.saturating_sub(1)..(x + 2).min(above.len())];
    label != 0 && (x == 0 || row[x - 1] != label) && !upper.contains(&label)
}

/// The eight neighbours, counterclockwise on the screen from the one to the right.
const RING: [[isize; 2]; 8] = [[1, 0], [1, -1], [0, -1], [-1, -1], [-1, 0], [-1, 1], [0, 1], [1, 1]];
const RIGHT: usize = 0;
const LEFT: usize = 4;

/// Traces outlines by the border following of Suzuki and Abe, "Topological structural analysis of digitized binary images by
/// border following" (1985).
struct Tracer<'a> {
    plane: &'a Plane<'a>,
    /// Which pixels a traced outline passed.
    passed: Vec<bool>,
    /// Those of them whose neighbour to the right is outside of all parts.
    exits: Vec<bool>,
    ends: Ends,
}

/// The ends of the runs of equal labels in a row, as far as they were looked at.
#[derive(Default)]
struct Ends {
    row: usize,
    columns: usize,
    /// The index of the last pixel of the last run of each label.
    of: HashMap<u32, usize>,
}

impl<'a> Tracer<'a> {
    fn new(plane: &'a Plane<'a>) -> Self {
        let [passed, exits] = [0, 1].map(|_| vec![false; plane.labels().len()]);
        Tracer { plane, passed, exits, ends: Ends::default() }
    }

    /// Whether the pixels to the left of a run that begins at `start` are outside of all parts of its label, rather than in a
    /// hole of one. They are as the pixel that follows the label's run before.
    fn is_outside(&mut self, start: usize) -> bool {
        let (labels, ends) = (self.plane.labels(), &mut self.ends);
        let (row, columns) = (start / self.plane.width, start % self.plane.width);
        if ends.row != row {
            *ends = Ends { row, ..Ends::default() };
        }
        let first = start - columns;
        for at in first + ends.columns..start {
            if labels[at] != labels[at + 1] {
                ends.of.insert(labels[at], at);
            }
        }
        ends.columns = columns;
        ends.of.get(&labels[start]).is_none_or(|&end| self.exits[end])
    }

    /// Puts the outline of the part whose first pixel is `start` into `points`.
    fn trace(&mut self, start: usize, points: &mut Vec<[u32; 2]>) {
        points.clear();
        let width = self.plane.width;
        let first = [start % width, start / width];
        let label = self.plane.labels()[start];
        let is_of = |at: [usize; 2]| self.plane.is_of(at, label);
        // The last pixel of the outline is the first one clockwise from the left.
        let Some(way_back) = (1..8).map(|turn| (LEFT + 8 - turn) % 8).find(|&way| is_of(step(first, way)))
        else {
            (self.passed[start], self.exits[start]) = (true, true);
            points.push(first.map(|v| v as u32));
            return;
        };
        let last = step(first, way_back);
        let (mut at, mut back) = (first, way_back);
        loop {
            points.push(at.map(|v| v as u32));
            let here = at[1] * width + at[0];
            self.passed[here] = true;
            let mut way = (back + 1) % 8;
            while !is_of(step(at, way)) {
                self.exits[here] |= way == RIGHT;
                way = (way + 1) % 8;
            }
            let next = step(at, way);
            if next == first && at == last {
                return;
            }
            (at, back) = (next, (way + 4) % 8);
        }
    }
}

/// The neighbour in one of the directions. Beyond the first row and column are very large numbers, which are outside too.
fn step([x, y]: [usize; 2], way: usize) -> [usize; 2] {
    let [dx, dy] = RING[way];
    [x.wrapping_add_signed(dx), y.wrapping_add_signed(dy)]
}
