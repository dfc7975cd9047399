//! Follows the borders of cells from pixel to pixel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};

use rayon::prelude::*;

use super::starts::{Plane, Rows};

/// Whether the pixel may be the first of a part in row-major order: neither to its left nor above it is a pixel of its label.
pub(super) fn is_top(Rows { row, above }: &Rows, x: usize) -> bool {
    let label = row[x];
    let upper = &above[x.saturating_sub(1)..(x + 2).min(above.len())];
    label != 0 && (x == 0 || row[x - 1] != label) && !upper.contains(&label)
}

/// The eight neighbours, counterclockwise on the screen from the one to the right.
const RING: [[isize; 2]; 8] = [[1, 0], [1, -1], [0, -1], [-1, -1], [-1, 0], [-1, 1], [0, 1], [1, 1]];
const RIGHT: usize = 0;
const LEFT: usize = 4;

/// A traced outline passed the pixel.
pub(super) const PASSED: u8 = 1;
/// And its neighbour to the right is outside of all parts.
const EXIT: u8 = 2;

/// Traces outlines by the border following of Suzuki and Abe, "Topological structural analysis of digitized binary images by
/// border following" (1985).
pub(super) struct Tracer<'a> {
    plane: &'a Plane<'a>,
    /// What is known of each pixel. Threads trace different labels, so each pixel is written by one.
    marks: Vec<AtomicU8>,
}

/// The ends of the runs of equal labels in a row, as far as they were looked at.
#[derive(Default)]
pub(super) struct Ends {
    row: usize,
    columns: usize,
    /// The index of the last pixel of the last run of each label.
    of: HashMap<u32, usize>,
}

impl<'a> Tracer<'a> {
    pub fn new(plane: &'a Plane<'a>) -> Self {
        let marks = (0..plane.labels.len()).into_par_iter().map(|_| AtomicU8::new(0)).collect();
        Tracer { plane, marks }
    }

    fn mark(&self, pixel: usize, mark: u8) {
        let marks = &self.marks[pixel];
        marks.store(marks.load(Ordering::Relaxed) | mark, Ordering::Relaxed);
    }

    pub fn has(&self, pixel: usize, mark: u8) -> bool {
        self.marks[pixel].load(Ordering::Relaxed) & mark != 0
    }

    /// Whether the pixels to the left of a run that begins at `start` are outside of all parts of its label, rather than in a
    /// hole of one. They are as the pixel that follows the label's run before.
    pub fn is_outside(&self, start: usize, ends: &mut Ends) -> bool {
        let labels = &self.plane.labels;
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
        ends.of.get(&labels[start]).is_none_or(|&end| self.has(end, EXIT))
    }

    /// The outline of the part whose first pixel is `start`.
    pub fn trace(&self, start: usize) -> Vec<[u32; 2]> {
        let width = self.plane.width;
        let first = [start % width, start / width];
        let label = self.plane.labels[start];
        let is_of = |at: [usize; 2]| self.plane.is_of(at, label);
        // The last pixel of the outline is the first one clockwise from the left.
        let Some(way_back) = (1..8).map(|turn| (LEFT + 8 - turn) % 8).find(|&way| is_of(step(first, way)))
        else {
            self.mark(start, PASSED | EXIT);
            return vec![first.map(|v| v as u32)];
        };
        let last = step(first, way_back);
        let (mut at, mut back, mut points) = (first, way_back, Vec::new());
        loop {
            points.push(at.map(|v| v as u32));
            let mut way = (back + 1) % 8;
            let mut mark = PASSED;
            while !is_of(step(at, way)) {
                mark |= if way == RIGHT { EXIT } else { 0 };
                way = (way + 1) % 8;
            }
            self.mark(at[1] * width + at[0], mark);
            let next = step(at, way);
            if next == first && at == last {
                return points;
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
