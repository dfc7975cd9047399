//! What is done to finished masks: holes, small ones, the border, numbers and sizes (`utils`).

use std::collections::HashMap;
use std::ops::Range;

use crate::options::Compat;
use crate::plan::diameter::{median_diameter, sizes_of};

/// Numbers the labels 1 to n in the order in which they first come in memory; 0 stays (`fastremap.renumber`).
/// Returns n.
pub fn renumber(labels: &mut [u32]) -> usize {
    let most = labels.iter().max().map_or(0, |&max| max as usize);
    if most > 2 * labels.len() {
        return renumber_sparse(labels);
    }
    let (mut numbers, mut count) = (vec![0; most + 1], 0);
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

/// The same for labels far larger than the image has pixels.
fn renumber_sparse(labels: &mut [u32]) -> usize {
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    for label in labels.iter_mut().filter(|label| **label != 0) {
        let next = numbers.len() as u32 + 1;
        *label = *numbers.entry(*label).or_insert(next);
    }
    numbers.len()
}

/// Pixels of each label from 0 on.
pub fn sizes(labels: &[u32]) -> Vec<usize> {
    let mut sizes = vec![0; labels.iter().max().map_or(0, |&max| max as usize) + 1];
    labels.iter().for_each(|&label| sizes[label as usize] += 1);
    sizes
}

/// The smallest box around a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// From its first row to one past its last.
    pub rows: Range<usize>,
    /// From its first column to one past its last.
    pub columns: Range<usize>,
}

/// The box of each label from 1 on; `None` for a number that is not used.
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

/// Drops masks of fewer than `min_size` pixels, fills the holes of each mask, drops again, and renumbers.
///
/// Holes are filled in the order of the labels, each over what lies in it, so that a cell inside the hole of
/// another vanishes (`utils.fill_holes_and_remove_small_masks`). [`Compat::V3_1_1`] takes the labels as they
/// come, gaps included, and drops by a label's rank instead of its number, as the original does by mistake.
pub fn fill_holes_and_drop_small(labels: &mut [u32], width: usize, min_size: usize, compat: Compat) {
    if compat == Compat::None {
        renumber(labels);
    }
    drop_small(labels, min_size, compat);
    let mut stack = Vec::new();
    let boxes = bounds(labels, width);
    let used = (1..).zip(boxes).filter_map(|(label, bounds)| Some((label, bounds?)));
    for (number, (label, bounds)) in (1..).zip(used) {
        fill_holes(labels, width, label, number, &bounds, &mut stack);
    }
    drop_small(labels, min_size, compat);
    if compat == Compat::None && min_size == 0 {
        // Nothing was dropped, and so nothing renumbered.
        renumber(labels);
    }
}

fn drop_small(labels: &mut [u32], min_size: usize, compat: Compat) {
    if min_size == 0 {
        return;
    }
    let small: Vec<bool> = match compat {
        Compat::None => sizes(labels).iter().map(|&size| size < min_size).collect(),
        Compat::V3_1_1 => by_rank(&sizes(labels), min_size),
    };
    labels.iter_mut().filter(|label| small.get(**label as usize) == Some(&true)).for_each(|label| *label = 0);
    renumber(labels);
}

/// The original's mistake: the sizes of the labels that are there, without the first (which it takes for the
/// background), are looked up by rank and not by label.
fn by_rank(sizes: &[usize], min_size: usize) -> Vec<bool> {
    let present = sizes.iter().filter(|size| **size > 0).skip(1);
    std::iter::once(false).chain(present.map(|&size| size < min_size)).collect()
}

/// Pixels of the box that are not `label` and not `outside` are holes. They and the mask become `number`.
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

/// Which pixels of the box reach its border by their four neighbours without a pixel that is `label`; row by row.
pub fn outside(
    labels: &[u32],
    width: usize,
    label: u32,
    bounds: &Bounds,
    stack: &mut Vec<(usize, usize)>,
) -> Vec<bool> {
    let (height, across) = (bounds.rows.len(), bounds.columns.len());
    let at = |y: usize, x: usize| (bounds.rows.start + y) * width + bounds.columns.start + x;
    let mut outside = vec![false; height * across];
    let rim = |y: usize, x: usize| y == 0 || x == 0 || y + 1 == height || x + 1 == across;
    let cells = (0..height).flat_map(|y| (0..across).map(move |x| (y, x)));
    for start in cells.filter(|&(y, x)| rim(y, x)) {
        stack.push(start);
        while let Some((y, x)) = stack.pop() {
            if y >= height || x >= across || outside[y * across + x] || labels[at(y, x)] == label {
                continue;
            }
            outside[y * across + x] = true;
            // A step below zero wraps around and is out of the box.
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

/// The median diameter of masks.
pub fn diameter(labels: &[u32]) -> f64 {
    median_diameter(sizes_of(labels.iter().copied()))
}
