//! Operations on finished masks of a volume: filling holes, dropping small masks and those at the border, and boxes
//! (cellpose's `utils`).
//!
//! Labels are `[depth, height, width]`, and none may exceed `max_label`, as in
//! [`components`](super::super::components) of images.

use super::super::components::{self, BLOCK, Holes, LARGE_BLOCKS, drop_below, drop_small_around};
use super::super::kernels::volume_components as kernels;
use super::super::renumber::renumber;
use super::super::scan::blocks;
use super::super::{Buffer, Gpu};
use super::{Size, stacked, voxels};
use crate::{Compat, Result};

/// The box and the volume of each label from 1 to `max_label`: 28 bytes per label.
#[derive(Debug, Default)]
pub struct Boxes {
    /// Six numbers for each label: the bitwise complements of the first plane, row and column, then the last plane, row and
    /// column, each plus 1. All six are 0 for a number that no voxel has.
    pub corners: Buffer<u32>,
    /// The volume in voxels; 0 for a number that no voxel has.
    pub volumes: Buffer<u32>,
}

/// Scratch memory of the functions of this file: 12 bytes per voxel and up to 90 per label, as far as it is used.
#[derive(Debug, Default)]
pub struct Scratch {
    boxes: Boxes,
    /// 1 for each label that may stay.
    inside: Buffer<u32>,
    /// The memory of what is done as in images. `renumber.count` is the number of masks after the last call.
    pub images: components::Scratch,
}

/// Finds the box and the volume of each label.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn bounds(gpu: &Gpu, labels: &Buffer<u32>, size: Size, max_label: u32, boxes: &mut Boxes) -> Result<()> {
    let corners = boxes.corners.zeros(gpu, 6 * max_label as usize)?;
    let volumes = boxes.volumes.zeros(gpu, max_label as usize)?;
    let count = voxels(size);
    if count == 0 {
        return Ok(());
    }
    let (height, width) = (size[1] as u32, size[2] as u32);
    kernels::volume_bounds(
        gpu,
        blocks(count),
        BLOCK,
        0,
        labels.get(),
        height,
        width,
        count as u64,
        corners,
        volumes,
    )
}

/// Drops masks of fewer than `min_size` voxels, fills the holes of each mask, drops small masks once more, and renumbers, as
/// [`cpu::volume::components`](crate::cpu::volume::components::fill_holes_and_drop_small) does.
///
/// The number of masks is written to `scratch.images.renumber.count`, except for [`Compat::V3_1_1`] with `min_size` 0.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn fill_holes_and_drop_small(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: Size,
    max_label: u32,
    (min_size, compat): (usize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    let Scratch { boxes, images, .. } = scratch;
    drop_small_around(gpu, labels, stacked(size), max_label, (min_size, compat), images, |labels, images| {
        fill_holes(gpu, labels, size, max_label, boxes, &mut images.holes)
    })
}

/// Fills the holes of all masks. The result is that of filling one mask after the other by ascending label.
fn fill_holes(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: Size,
    max_label: u32,
    boxes: &mut Boxes,
    holes: &mut Holes,
) -> Result<()> {
    bounds(gpu, labels, size, max_label, boxes)?;
    // Each block needs two words for every 32 voxels of a row.
    let words = 2 * size[0] * size[1] * size[2].div_ceil(32);
    holes.prepare(gpu, labels, voxels(size), max_label, LARGE_BLOCKS * words)?;
    let (boxes, volumes) = (boxes.corners.get(), boxes.volumes.get());
    let Holes { before, lists, counters, enclosing, bits } = holes;
    let (before, lists, counters) = (before.get(), lists.get_mut(), counters.get_mut());
    let (enclosing, bits, labels) = (enclosing.get_mut(), bits.get_mut(), labels.get_mut());
    let (height, width, words) = (size[1] as u32, size[2] as u32, words as u64);
    let grid = blocks(max_label as usize);
    kernels::volume_holes_plan(gpu, grid, BLOCK, 0, boxes, volumes, max_label, lists, counters)?;
    let small = (8 * gpu.multiprocessors()? as u32).clamp(1, max_label.max(1));
    let classes = [(0, small, 128, 4 * (2 * kernels::WORDS as u32 + 1)), (1, LARGE_BLOCKS as u32, 512, 4)];
    for (large, grid, threads, shared) in classes {
        let (grid, block) = ((grid, 1, 1), (threads, 1, 1));
        kernels::volume_holes_fill(
            gpu, grid, block, shared, before, labels, height, width, boxes, lists, max_label, large, bits,
            words, enclosing, counters,
        )?;
    }
    let (grid, block) = ((1, 1, 1), (512, 1, 1));
    kernels::volume_holes_enclosing(
        gpu,
        grid,
        block,
        4 * 512,
        labels,
        height,
        width,
        boxes,
        max_label,
        bits,
        enclosing,
        counters,
    )
}

/// Drops masks that touch the border of the volume, its first and last planes included, and renumbers. The number of masks
/// is written to `scratch.images.renumber.count`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn drop_edges(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: Size,
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    bounds(gpu, labels, size, max_label, &mut scratch.boxes)?;
    let (boxes, volumes) = (scratch.boxes.corners.get(), scratch.boxes.volumes.get());
    let (inside, grid) = (scratch.inside.resize(gpu, max_label as usize)?, blocks(max_label as usize));
    let [depth, height, width] = size.map(|length| length as u32);
    kernels::volume_edges(gpu, grid, BLOCK, 0, boxes, volumes, max_label, depth, height, width, inside)?;
    drop_below(gpu, labels, stacked(size), &scratch.inside, 1)?;
    renumber(gpu, labels, voxels(size), max_label, &mut scratch.images.renumber)
}
