//! Operations on finished masks: filling holes, dropping small masks and those at the border, numbers, areas and boxes
//! (cellpose's `utils`).

use std::collections::HashMap;
use std::ops::Range;

use crate::memory::zeros;
use crate::options::Compat;
use crate::plan::diameter::{areas_of, median_diameter};
use crate::watch::GoOn;

/// Numbers the labels 1 to n in the order of their first pixels; 0 stays 0 (`fastremap.renumber`). Returns n.
pub fn renumber(labels: &mut [u32]) -> usize {
    let max_label = labels.iter().max().map_or(0, |&max| max as usize);
    if max_label > 2 * labels.len() {
        return renumber_sparse(labels);
    }
    let (mut numbers, mut count) = (vec![0; max_label + 1], 0);
    for label in labels.iter_mut().filter(|label| **label != 0) {
        let number = &mut numbers[*label as usize];
        if *number == 0 {
            count += 1;
            *number = count;
        }
        *label = *number;
    }
    count as usize
}

/// [`renumber`] for labels that are much larger than the number of pixels.
fn renumber_sparse(labels: &mut [u32]) -> usize {
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    for label in labels.iter_mut().filter(|label| **label != 0) {
        let next = numbers.len() as u32 + 1;
        *label = *numbers.entry(*label).or_insert(next);
    }
    numbers.len()
}

/// The area in pixels of each label from 0 to the largest; 0 for a number that no pixel has.
pub fn areas(labels: &[u32]) -> Vec<usize> {
    let mut areas = vec![0; labels.iter().max().map_or(0, |&max| max as usize) + 1];
    // Neighbours mostly have the same label, and one sum would wait for the other.
    labels.chunk_by(|a, b| a == b).for_each(|run| areas[run[0] as usize] += run.len());
    areas
}

/// The smallest box that contains all pixels of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// The rows of the box.
    pub rows: Range<usize>,
    /// The columns of the box.
    pub columns: Range<usize>,
}

/// The box of each label from 1 to the largest; `None` for a number that no pixel has.
pub fn bounds(labels: &[u32], width: usize) -> Vec<Option<Bounds>> {
    let mut boxes: Vec<Option<Bounds>> = vec![None; labels.iter().max().map_or(0, |&max| max as usize)];
    for (y, row) in labels.chunks_exact(width.max(1)).enumerate() {
        for (x, &label) in row.iter().enumerate().filter(|(_, label)| **label != 0) {
            match &mut boxes[label as usize - 1] {
                Some(Bounds { rows, columns }) => {
                    rows.end = y + 1;
                    *columns = columns.start.min(x)..columns.end.max(x + 1);
                }
                empty => *empty = Some(Bounds { rows: y..y + 1, columns: x..x + 1 }),
            }
        }
    }
    boxes
}

/// Drops masks of fewer than `min_size` pixels, fills the holes of each mask, drops small masks once more, and
/// renumbers (`utils.fill_holes_and_remove_small_masks`).
///
/// Holes are filled in the order of the labels. Filling overwrites the hole, so a cell inside the hole of another one
/// vanishes. [`Compat::V3_1_1`] repeats two faults of the original: it does not renumber the labels first, and it looks
/// up which masks are small by the rank of a label instead of its number.
pub fn fill_holes_and_drop_small(labels: &mut [u32], width: usize, min_size: usize, compat: Compat) {
    fill_holes_and_drop_small_while(labels, width, min_size, compat, &|| true);
}

/// Like [`fill_holes_and_drop_small`], and stops early, with some of this done, when `go_on` is false.
pub(crate) fn fill_holes_and_drop_small_while(
    labels: &mut [u32],
    width: usize,
    min_size: usize,
    compat: Compat,
    go_on: GoOn,
) {
    drop_small_around(labels, min_size, compat, go_on, |labels| {
        let mut stack = Vec::new();
        for Mask { label, number, bounds } in used(bounds(labels, width)).take_while(|_| go_on()) {
            fill_holes(labels, width, label, number, &bounds, &mut stack);
        }
    });
}

/// A mask whose holes are filled, in an image or a volume.
pub(super) struct Mask<Bounds> {
    pub label: u32,
    /// The label that it gets.
    pub number: u32,
    pub bounds: Bounds,
}

/// The masks with these boxes, which are those of the labels from 1 on.
pub(super) fn used<Bounds>(boxes: Vec<Option<Bounds>>) -> impl Iterator<Item = Mask<Bounds>> {
    let used = (1..).zip(boxes).filter_map(|(label, bounds)| Some((label, bounds?)));
    (1..).zip(used).map(|(number, (label, bounds))| Mask { label, number, bounds })
}

/// What is done before and after `fill` fills the holes of an image's or a volume's masks.
pub(super) fn drop_small_around(
    labels: &mut [u32],
    min_size: usize,
    compat: Compat,
    go_on: GoOn,
    fill: impl FnOnce(&mut [u32]),
) {
    if compat == Compat::None {
        renumber(labels);
    }
    if !go_on() {
        return;
    }
    drop_small(labels, min_size, compat);
    if !go_on() {
        return;
    }
    fill(labels);
    if !go_on() {
        return;
    }
    drop_small(labels, min_size, compat);
    if compat == Compat::None && min_size == 0 {
        // With `min_size` 0, `drop_small` did not renumber.
        renumber(labels);
    }
}

/// Drops labels of fewer than `min_size` pixels, and renumbers; does nothing if `min_size` is 0.
pub(super) fn drop_small(labels: &mut [u32], min_size: usize, compat: Compat) {
    if min_size == 0 {
        return;
    }
    let small: Vec<bool> = match compat {
        Compat::None => areas(labels).iter().map(|&area| area < min_size).collect(),
        Compat::V3_1_1 => by_rank(&areas(labels), min_size),
    };
    labels.iter_mut().filter(|label| small.get(**label as usize) == Some(&true)).for_each(|label| *label = 0);
    renumber(labels);
}

/// The original's fault: it lists the areas of the labels that occur, skips the first, which it takes for the
/// background, and uses a label as an index into this list.
fn by_rank(areas: &[usize], min_size: usize) -> Vec<bool> {
    let present = areas.iter().filter(|area| **area > 0).skip(1);
    std::iter::once(false).chain(present.map(|&area| area < min_size)).collect()
}

/// Gives the mask and its holes the label `number`. Holes are the pixels of the box that are neither `label` nor
/// [`outside`].
fn fill_holes(
    labels: &mut [u32],
    width: usize,
    label: u32,
    number: u32,
    bounds: &Bounds,
    stack: &mut Vec<(usize, usize)>,
) {
    let across = bounds.columns.len();
    let outside = outside(labels, width, label, bounds, stack);
    for (y, row) in bounds.rows.clone().zip(outside.chunks_exact(across)) {
        for (x, _) in bounds.columns.clone().zip(row).filter(|(_, outside)| !**outside) {
            labels[y * width + x] = number;
        }
    }
}

/// Which pixels of the box are outside the mask: a path of 4-neighbours leads from them to the border of the box
/// without crossing `label`. Row by row; `stack` is scratch memory.
pub fn outside(
    labels: &[u32],
    width: usize,
    label: u32,
    bounds: &Bounds,
    stack: &mut Vec<(usize, usize)>,
) -> Vec<bool> {
    let (height, across) = (bounds.rows.len(), bounds.columns.len());
    let at = |y: usize, x: usize| (bounds.rows.start + y) * width + bounds.columns.start + x;
    let mut outside = zeros(height * across);
    let rim = |y: usize, x: usize| y == 0 || x == 0 || y + 1 == height || x + 1 == across;
    let cells = (0..height).flat_map(|y| (0..across).map(move |x| (y, x)));
    for start in cells.filter(|&(y, x)| rim(y, x)) {
        stack.push(start);
        while let Some((y, x)) = stack.pop() {
            if y >= height || x >= across || outside[y * across + x] || labels[at(y, x)] == label {
                continue;
            }
            outside[y * across + x] = true;
            // A step below zero wraps around to a large number, which is outside the box.
            stack.extend([(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)]);
        }
    }
    outside
}

/// Drops masks that touch the border of the image, and renumbers (`utils.remove_edge_masks`).
pub fn drop_edges(labels: &mut [u32], (height, width): (usize, usize)) {
    let mut touches = vec![false; labels.iter().max().map_or(0, |&max| max as usize) + 1];
    let rim = |i: &usize| matches!(i % width, 0) || i % width == width - 1;
    let rows = (0..width).chain((height - 1) * width..height * width);
    rows.chain((0..height * width).filter(rim)).for_each(|i| touches[labels[i] as usize] = true);
    labels.iter_mut().filter(|label| touches[**label as usize]).for_each(|label| *label = 0);
    renumber(labels);
}

/// The median diameter of the masks, in pixels; 0 without masks.
pub fn diameter(labels: &[u32]) -> f64 {
    median_diameter(areas_of(labels.iter().copied()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_mask_asks_whether_to_go_on() {
        // Ten rings of 5 pixels side by side, each around a hole.
        let ring = |x: usize, y: usize| if (x % 5, y) == (2, 2) { 0 } else { x as u32 / 5 + 1 };
        let scene: Vec<u32> = (0..250).map(|i| ring(i % 50, i / 50)).collect();
        for stop_after in [0, 5, usize::MAX] {
            let (mut labels, asked) = (scene.clone(), AtomicUsize::new(0));
            let go_on = || asked.fetch_add(1, Ordering::Relaxed) < stop_after;
            fill_holes_and_drop_small_while(&mut labels, 50, 1, Compat::None, &go_on);
            let holes = labels.iter().filter(|label| **label == 0).count();
            // Two questions come before the masks.
            assert_eq!(holes, 10 - stop_after.saturating_sub(2).min(10), "{stop_after}");
        }
    }
}
