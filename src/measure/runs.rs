//! Cells as runs of pixels: everything that is measured is computed from them, so the labels are read once.

use std::borrow::Cow;

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::memory::require;

/// Pixels of one label that follow each other in a row. Runs are ordered by label, then by plane, row and column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub label: u32,
    pub z: u32,
    pub y: u32,
    pub start: u32,
    /// The column after the last.
    pub end: u32,
}

/// Bytes that a run takes at most, with what is computed of it: itself, the runs of a cell that are being looked at on each
/// thread, and its share of the table.
const BYTES_OF_RUN: u64 = 64;

impl Run {
    /// The number of pixels.
    pub fn pixels(&self) -> u64 {
        u64::from(self.end - self.start)
    }

    /// The row's place in a volume.
    pub fn line(&self) -> (u32, u32) {
        (self.z, self.y)
    }
}

/// The runs of all labels in planes `[height, width]` of equal size, in their order.
///
/// Unwinds with [`OutOfMemory`](crate::OutOfMemory) when they need more than `memory`, or than there is.
pub fn runs(planes: &[ArrayView2<u32>], memory: Option<u64>) -> Vec<Run> {
    let height = planes.first().map_or(0, |plane| plane.nrows());
    let places: Vec<(usize, usize)> =
        (0..planes.len()).flat_map(|z| (0..height).map(move |y| (z, y))).collect();
    let row = |&(z, y): &(usize, usize)| contiguous(planes[z].row(y));
    let counts: Vec<usize> = places.par_iter().map(|place| count(&row(place))).collect();
    let total = counts.iter().sum::<usize>();
    require(total as u64 * BYTES_OF_RUN, memory);
    let mut runs = vec![Run::default(); total];
    let mut rest = &mut runs[..];
    let split = |(place, count): (&(usize, usize), &usize)| {
        let (own, others) = std::mem::take(&mut rest).split_at_mut(*count);
        rest = others;
        (*place, own)
    };
    let parts: Vec<_> = places.iter().zip(&counts).map(split).collect();
    parts.into_par_iter().for_each(|(place, own)| fill(&row(&place), place, own));
    // All are different, so that any way of sorting gives the same.
    runs.par_sort_unstable();
    runs
}

fn contiguous(row: ArrayView1<'_, u32>) -> Cow<'_, [u32]> {
    row.to_slice().map_or_else(|| Cow::Owned(row.to_vec()), Cow::Borrowed)
}

/// The number of runs in a row.
fn count(row: &[u32]) -> usize {
    let first = row.first().is_some_and(|&label| label != 0);
    let starts = row.iter().zip(row.iter().skip(1)).filter(|(before, label)| before != label && **label != 0);
    usize::from(first) + starts.count()
}

/// Writes the runs of a row.
fn fill(row: &[u32], (z, y): (usize, usize), out: &mut [Run]) {
    let mut start = 0;
    let all = row.chunk_by(|a, b| a == b).map(|same| {
        let end = start + same.len() as u32;
        Run { label: same[0], z: z as u32, y: y as u32, start: std::mem::replace(&mut start, end), end }
    });
    out.iter_mut().zip(all.filter(|run| run.label != 0)).for_each(|(place, run)| *place = run);
}

/// The runs of each label.
pub fn cells(runs: &[Run]) -> Vec<&[Run]> {
    runs.chunk_by(|a, b| a.label == b.label).collect()
}

/// The runs of each row that a cell has pixels in.
pub fn lines(cell: &[Run]) -> Vec<&[Run]> {
    cell.chunk_by(|a, b| a.line() == b.line()).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use ndarray::{Array2, array};

    /// The runs of a picture: every character but a dot is a pixel of label 1.
    pub fn drawn(rows: &[&str]) -> Vec<Run> {
        let width = rows.first().map_or(0, |row| row.len());
        let pixel = |(y, x): (usize, usize)| u32::from(rows[y].as_bytes()[x] != b'.');
        runs(&[Array2::from_shape_fn((rows.len(), width), pixel).view()], None)
    }

    fn run(label: u32, z: u32, y: u32, start: u32, end: u32) -> Run {
        Run { label, z, y, start, end }
    }

    #[test]
    fn every_label_has_its_runs_in_order() {
        let first = array![[7_u32, 7, 0, 7], [0, 0, 0, 0], [2, 7, 7, 7]];
        let second = array![[0_u32, 2, 2, 2], [u32::MAX, 0, 0, 0], [0, 0, 0, 0]];
        let found = runs(&[first.view(), second.view()], None);
        let sevens = [run(7, 0, 0, 0, 2), run(7, 0, 0, 3, 4), run(7, 0, 2, 1, 4)];
        let twos = [run(2, 0, 2, 0, 1), run(2, 1, 0, 1, 4)];
        assert_eq!(cells(&found), [&twos[..], &sevens, &[run(u32::MAX, 1, 1, 0, 1)]]);
        assert_eq!(lines(&sevens), [&sevens[..2], &sevens[2..]]);
        // The same of arrays in another order of memory.
        let turned = first.t().as_standard_layout().into_owned();
        assert_eq!(runs(&[turned.t()], None), runs(&[first.view()], None));
        assert!(runs(&[], None).is_empty());
    }
}
