//! One connected part for each label: what is left of a mask beside its largest part is no cell.

use std::cmp::Reverse;

use rayon::prelude::*;

use crate::watch::GoOn;

/// Neighbouring pixels of a row that have the same label, which is not 0.
#[derive(Clone, Copy)]
struct Run {
    /// The index of the first pixel, and one past that of the last.
    start: usize,
    end: usize,
}

/// Keeps the largest part of each label, and sets the pixels of its other parts to 0. Of parts that are equally large,
/// the one with the first pixel in row-major order stays. The labels keep their numbers.
///
/// Pixels are of one part if a path of 4-neighbours of the label leads from one to the other. With 8 neighbours, a part
/// could hang on a corner: [`polygons`](crate::output::polygons) and the filling of holes take that for two, so only
/// with 4 neighbours does each filled mask have exactly one outline.
pub fn keep_largest_parts(labels: &mut [u32], width: usize) {
    keep_largest_parts_while(labels, width, &|| true);
}

/// Like [`keep_largest_parts`], and leaves the labels as they are when `go_on` is false.
pub(crate) fn keep_largest_parts_while(labels: &mut [u32], width: usize, go_on: GoOn) {
    let height = labels.len() / width.max(1);
    keep_largest_of_planes(labels, (height, width), go_on);
}

/// Like [`keep_largest_parts_while`], for planes one behind the other: a pixel is also next to those at the same place of
/// the planes before and behind.
pub(super) fn keep_largest_of_planes(labels: &mut [u32], (height, width): (usize, usize), go_on: GoOn) {
    let (height, width) = (height.max(1), width.max(1));
    let rows: Vec<Vec<Run>> =
        labels.par_chunks(width).enumerate().map(|(y, row)| runs_of(row, y * width)).collect();
    let mut parents = connect(labels, &rows, (height, width), go_on);
    if !go_on() {
        return;
    }
    let runs: Vec<Run> = rows.into_iter().flatten().collect();
    let mut areas = vec![0; runs.len()];
    for (i, run) in runs.iter().enumerate() {
        areas[root(&mut parents, i)] += run.end - run.start;
    }
    if go_on() && drop_smaller(labels, &runs, &mut areas) {
        for (i, run) in runs.iter().enumerate() {
            if areas[root(&mut parents, i)] == 0 {
                labels[run.start..run.end].fill(0);
            }
        }
    }
}

/// The runs of a row whose first pixel has the index `first`.
fn runs_of(row: &[u32], first: usize) -> Vec<Run> {
    let mut start = first;
    let mut runs = Vec::new();
    for pixels in row.chunk_by(|a, b| a == b) {
        let end = start + pixels.len();
        if pixels[0] != 0 {
            runs.push(Run { start, end });
        }
        start = end;
    }
    runs
}

/// Connects the runs of neighbouring rows that have a label in common: for each run the number of an earlier run of its
/// part, or its own number if it is the first. The rest of the rows is not connected when `go_on` is false.
fn connect(labels: &[u32], rows: &[Vec<Run>], (height, width): (usize, usize), go_on: GoOn) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..rows.iter().map(Vec::len).sum()).collect();
    // The number of the first run of each row.
    let mut firsts = Vec::with_capacity(rows.len());
    let mut first = 0;
    for (y, row) in rows.iter().enumerate().take_while(|_| go_on()) {
        firsts.push(first);
        // The row above in the same plane, and the same row of the plane before.
        for above in [(y % height > 0).then_some(1), (y >= height).then_some(height)].into_iter().flatten() {
            let upper = y - above;
            touching(labels, &rows[upper], row, above * width, |i, j| {
                unite(&mut parents, firsts[upper] + i, first + j);
            });
        }
        first += row.len();
    }
    parents
}

/// Calls `found` with the places in their rows of any two runs that touch and have the same label. A pixel has the index
/// `distance` less than that below it.
fn touching(
    labels: &[u32],
    upper: &[Run],
    lower: &[Run],
    distance: usize,
    mut found: impl FnMut(usize, usize),
) {
    let (mut i, mut j) = (0, 0);
    while let (Some(above), Some(below)) = (upper.get(i), lower.get(j)) {
        let touch = above.start + distance < below.end && below.start < above.end + distance;
        if touch && labels[above.start] == labels[below.start] {
            found(i, j);
        }
        match above.end + distance < below.end {
            true => i += 1,
            false => j += 1,
        }
    }
}

/// The first run of the part that run `i` belongs to.
fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
}

fn unite(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

/// Sets the areas of all parts that are not their label's largest to 0. Returns whether there are any. `areas` has the
/// area of each part at its first run, and 0 at the other runs.
fn drop_smaller(labels: &[u32], runs: &[Run], areas: &mut [usize]) -> bool {
    let part = |(i, run): (usize, &Run)| (areas[i] > 0).then(|| (labels[run.start], Reverse(areas[i]), i));
    let mut parts: Vec<_> = runs.iter().enumerate().filter_map(part).collect();
    parts.sort_unstable();
    let mut dropped = false;
    for pair in parts.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        areas[pair[1].2] = 0;
        dropped = true;
    }
    dropped
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_row_asks_whether_to_go_on_and_a_stop_changes_nothing() {
        // Each label has a small and a large part, one below the other.
        let scene: Vec<u32> = (0..12 * 40).map(|i| [1, 0, 1, 1][i / 40 % 4]).collect();
        for stop_after in [0, 5, usize::MAX] {
            let (mut labels, asked) = (scene.clone(), AtomicUsize::new(0));
            keep_largest_parts_while(&mut labels, 40, &|| asked.fetch_add(1, Ordering::Relaxed) < stop_after);
            assert_eq!(labels == scene, stop_after < usize::MAX);
            assert!(asked.into_inner() >= stop_after.min(12));
        }
    }
}
