//! Operations on finished masks of a volume: filling holes, dropping small masks and those at the border, and boxes
//! (cellpose's `utils`).

use std::ops::Range;

use rayon::prelude::*;

use super::Size;
use crate::cpu::components::{Mask, drop_small_around, renumber, used};
use crate::memory::zeros;
use crate::options::Compat;
use crate::watch::GoOn;

/// Labels whose holes are looked for together.
const TOGETHER: usize = 256;

/// The smallest box that contains all voxels of a label: its planes, rows and columns.
pub type Bounds = [Range<usize>; 3];

/// The box of each label from 1 to the largest; `None` for a number that no voxel has.
pub fn bounds(labels: &[u32], [_, height, width]: Size) -> Vec<Option<Bounds>> {
    let mut boxes: Vec<Option<Bounds>> = vec![None; labels.iter().max().map_or(0, |&max| max as usize)];
    for (i, row) in labels.chunks_exact(width.max(1)).enumerate() {
        let (z, y) = (i / height, i % height);
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let across = x..x + run.len();
            x = across.end;
            match boxes.get_mut((run[0] as usize).wrapping_sub(1)) {
                // The background.
                None => {}
                Some(Some([planes, rows, columns])) => {
                    planes.end = z + 1;
                    *rows = rows.start.min(y)..rows.end.max(y + 1);
                    *columns = columns.start.min(across.start)..columns.end.max(across.end);
                }
                Some(empty) => *empty = Some([z..z + 1, y..y + 1, across]),
            }
        }
    }
    boxes
}

/// Drops masks of fewer than `min_size` voxels, fills the holes of each mask, drops small masks once more, and renumbers
/// (`utils.fill_holes_and_remove_small_masks` in 3D).
///
/// A hole is closed when it cannot be left through the faces of voxels. As in images, holes are filled in the order of the
/// labels, a cell inside the hole of another one vanishes, and [`Compat::V3_1_1`] does not renumber first.
pub fn fill_holes_and_drop_small(labels: &mut [u32], size: Size, min_size: usize, compat: Compat) {
    fill_holes_and_drop_small_while(labels, size, min_size, compat, &|| true);
}

/// Like [`fill_holes_and_drop_small`], and stops early, with some of this done, when `go_on` is false.
pub(crate) fn fill_holes_and_drop_small_while(
    labels: &mut [u32],
    size: Size,
    min_size: usize,
    compat: Compat,
    go_on: GoOn,
) {
    drop_small_around(labels, min_size, compat, go_on, |labels| {
        let masks: Vec<_> = used(bounds(labels, size)).collect();
        for masks in masks.chunks(TOGETHER) {
            fill_holes(labels, size, masks, go_on);
        }
    });
}

/// Fills the holes of masks in their order.
///
/// Their holes are found on all cores before any is filled. That gives the same as one after the other as long as no hole
/// has voxels of another mask: a hole that is background through and through touches nothing but its own mask, so no
/// other mask's holes depend on it. From the first mask on that overwrites others, holes are looked for one by one.
fn fill_holes(labels: &mut [u32], size: Size, masks: &[Mask<Bounds>], go_on: GoOn) {
    let find =
        |labels: &[u32], mask: &Mask<Bounds>| if go_on() { holes(labels, size, mask) } else { Vec::new() };
    let found: Vec<Vec<usize>> = masks.par_iter().map(|mask| find(labels, mask)).collect();
    let mut overwritten = false;
    for (mask, found) in masks.iter().zip(found) {
        let holes = if overwritten { find(labels, mask) } else { found };
        overwritten |= holes.iter().any(|&i| labels[i] != 0);
        holes.iter().for_each(|&i| labels[i] = mask.number);
        if mask.number != mask.label {
            // The original gives the mask itself the new number too.
            overwritten = true;
            within(size, &mask.bounds).for_each(|row| {
                labels[row]
                    .iter_mut()
                    .filter(|label| **label == mask.label)
                    .for_each(|label| *label = mask.number);
            });
        }
    }
}

/// The rows of a box, as ranges of indices.
fn within([_, height, width]: Size, [planes, rows, columns]: &Bounds) -> impl Iterator<Item = Range<usize>> {
    let (rows, columns) = (rows.clone(), columns.clone());
    let start = move |z: usize, y: usize| (z * height + y) * width;
    planes.clone().flat_map(move |z| {
        let columns = columns.clone();
        rows.clone().map(move |y| start(z, y) + columns.start..start(z, y) + columns.end)
    })
}

/// The voxels in the holes of a mask.
fn holes(labels: &[u32], size: Size, mask: &Mask<Bounds>) -> Vec<usize> {
    let lengths = mask.bounds.each_ref().map(|range| range.len());
    // A mask that is at most two voxels thick has no inside.
    if lengths.iter().any(|length| *length < 3) {
        return Vec::new();
    }
    // A hole has voxels of the mask on both sides in its row.
    if within(size, &mask.bounds).all(|row| in_one_piece(&labels[row], mask.label)) {
        return Vec::new();
    }
    // 1 for the voxels that are not the mask's, and not known to be outside.
    let mut open: Vec<u8> = zeros(lengths.iter().product());
    let rows = within(size, &mask.bounds);
    for (row, open) in rows.zip(open.chunks_exact_mut(lengths[2])) {
        labels[row].iter().zip(open).for_each(|(label, open)| *open = u8::from(*label != mask.label));
    }
    flood(&mut open, lengths);
    let rows = within(size, &mask.bounds).zip(open.chunks_exact(lengths[2]));
    rows.flat_map(|(row, open)| row.zip(open).filter(|(_, open)| **open == 1).map(|(i, _)| i)).collect()
}

/// Whether the voxels of a label in a row follow on one another.
fn in_one_piece(row: &[u32], label: u32) -> bool {
    let own = |other: &u32| *other == label;
    let Some(first) = row.iter().position(own) else { return true };
    let length = row[first..].iter().take_while(|other| own(other)).count();
    !row[first + length..].iter().any(own)
}

/// Sets to 0 what can be reached through faces from the border of the box.
fn flood(open: &mut [u8], [depth, height, width]: Size) {
    let mut stack = Vec::new();
    let rim = |z: usize, y: usize| z == 0 || y == 0 || z + 1 == depth || y + 1 == height;
    for row in 0..depth * height {
        let whole = rim(row / height, row % height);
        let step = if whole { 1 } else { width - 1 };
        for start in (row * width..(row + 1) * width).step_by(step) {
            take(open, start, &mut stack);
            while let Some(i) = stack.pop() {
                let (y, x) = (i / width % height, i % width);
                let near = [
                    (x > 0, 1, false),
                    (x + 1 < width, 1, true),
                    (y > 0, width, false),
                    (y + 1 < height, width, true),
                    (i >= height * width, height * width, false),
                    (i + height * width < open.len(), height * width, true),
                ];
                for (_, distance, up) in near.into_iter().filter(|(inside, ..)| *inside) {
                    take(open, if up { i + distance } else { i - distance }, &mut stack);
                }
            }
        }
    }
}

/// Floods a voxel, if it is open, and remembers it.
fn take(open: &mut [u8], i: usize, stack: &mut Vec<usize>) {
    if open[i] == 1 {
        open[i] = 0;
        stack.push(i);
    }
}

/// Drops masks that touch the border of the volume, its first and last planes included, and renumbers
/// (`utils.remove_edge_masks`).
pub fn drop_edges(labels: &mut [u32], size: Size) {
    let boxes = bounds(labels, size);
    let edge = |bounds: &Bounds| (0..3).any(|axis| bounds[axis].start == 0 || bounds[axis].end == size[axis]);
    let touches: Vec<bool> = boxes.iter().map(|bounds| bounds.as_ref().is_some_and(edge)).collect();
    labels
        .iter_mut()
        .filter(|label| **label > 0 && touches[**label as usize - 1])
        .for_each(|label| *label = 0);
    renumber(labels);
}
