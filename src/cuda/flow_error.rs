//! The flow check: masks whose flows differ from the network's flows are dropped (`dynamics.remove_bad_flow_masks`).
//!
//! `size`, labels and `max_label` are as in [`components`](super::components).

use super::components::{Boxes, bounds};
use super::kernels::Address;
use super::kernels::flow_error::{self as kernels, Counters, Flows};
use super::scan::blocks;
use super::{Buffer, Gpu};
use crate::Result;

/// The classes of boxes that one thread block computes as a whole: the pixels of the largest box with a margin of one
/// pixel, the threads of a block, and the blocks that a multiprocessor runs at a time.
const CLASSES: [(u32, u32, u32); kernels::CLASSES as usize] = [
    (kernels::CELLS_0 as u32, kernels::THREADS_0 as u32, 16),
    (kernels::CELLS_1 as u32, kernels::THREADS_1 as u32, 6),
    (kernels::CELLS_2 as u32, kernels::THREADS_2 as u32, 2),
];
/// Larger boxes are cut into square tiles with sides of this length.
const TILE: usize = kernels::TILE as usize;
/// Bytes of shared memory that a block needs besides the heat.
const SHARED: u32 = size_of::<kernels::Shared>() as u32;

/// Scratch memory of [`flow_errors`]: 16 bytes per pixel and 68 per label.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The error of each label from 1 on; NaN for a number that no pixel has.
    pub errors: Buffer<f64>,
    boxes: Boxes,
    /// The labels of each class of boxes.
    lists: Buffer<u32>,
    /// How long each of these lists is, and how far the thread blocks have got in it.
    counters: Buffer<Counters>,
    /// For each mask that is cut into tiles, the index of its first tile among the tiles of all masks.
    first_tile: Buffer<u64>,
    /// For each of these masks, how many chunks of steps its tiles have done together.
    finished: Buffer<u64>,
    /// The centre of each of these masks.
    centres: Buffer<u64>,
    /// Two images with the heat of these masks, one read and one written in turn.
    planes: Buffer<f64>,
}

/// Writes the error of each label from 1 to `max_label` to `scratch.errors`, as
/// [`cpu::flow_error`](crate::cpu::flow_error::flow_errors) defines it. `maps` begins with the network's flows, `[2,
/// height, width]`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn flow_errors(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    maps: &Buffer<f32>,
    scratch: &mut Scratch,
) -> Result<()> {
    let flows = Flows { network: Address::of(gpu, maps, 0), own: Address::NONE };
    if !spread(gpu, labels, size, size, max_label, &flows, scratch)? {
        return Ok(());
    }
    let (grid, threads) = large(gpu, size)?;
    let (width, plane) = (size.1 as i32, (size.0 * size.1) as u64);
    let (lists, counters) = (scratch.lists.get(), scratch.counters.get());
    let (boxes, areas) = (scratch.boxes.corners.get(), scratch.boxes.areas.get());
    let (planes, errors) = (scratch.planes.get(), scratch.errors.get_mut());
    kernels::flow_sums(
        gpu,
        grid,
        (threads, 1, 1),
        8 * threads,
        labels.get(),
        width,
        plane,
        boxes,
        areas,
        max_label,
        lists,
        counters,
        planes,
        errors,
    )
}

/// The flows of masks, `[2, height, width]` (y, x), as [`cpu::flow_error`](crate::cpu::flow_error::masks_to_flows) defines
/// them: unit vectors, zero outside masks.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn masks_to_flows(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    out: &mut Buffer<f32>,
    scratch: &mut Scratch,
) -> Result<()> {
    flows_of_planes(gpu, labels, 1, size, max_label, out, scratch)
}

/// Like [`masks_to_flows`], for `count` images of one size, `plane`, one below the other. Each mask lies in one of them.
pub(super) fn flows_of_planes(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    count: usize,
    plane: (usize, usize),
    max_label: u32,
    out: &mut Buffer<f32>,
    scratch: &mut Scratch,
) -> Result<()> {
    let size = (count * plane.0, plane.1);
    out.zeros(gpu, 2 * size.0 * size.1)?;
    let flows = Flows { network: Address::NONE, own: Address::of(gpu, out, 0) };
    spread(gpu, labels, size, plane, max_label, &flows, scratch).map(drop)
}

/// The grid of blocks for masks that are cut into tiles, and the threads of a block.
fn large(gpu: &Gpu, size: (usize, usize)) -> Result<((u32, u32, u32), u32)> {
    let (_, threads, blocks) = CLASSES[2];
    // More than four boxes seldom overlap in a pixel, so more blocks would be idle.
    let tiles = 4 * size.0.div_ceil(TILE) as u32 * size.1.div_ceil(TILE) as u32;
    Ok((((blocks * gpu.multiprocessors()? as u32).min(tiles), 1, 1), threads))
}

/// Spreads heat in the masks, none of which has a larger box than `largest`, and turns it into what `flows` says: the masks'
/// flows, or the errors of masks that are not cut into tiles and the squares of the others. Returns whether there may be such
/// others.
fn spread(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    largest: (usize, usize),
    max_label: u32,
    flows: &Flows,
    scratch: &mut Scratch,
) -> Result<bool> {
    bounds(gpu, labels, size, max_label, &mut scratch.boxes)?;
    let counters = scratch.counters.zeros(gpu, 1)?;
    let (n, width, plane) = (max_label as usize, size.1 as i32, (size.0 * size.1) as u64);
    // In an image that fits into the largest class, no box is cut into tiles.
    let tiled = (largest.0 + 2) * (largest.1 + 2) > CLASSES[2].0 as usize || width > CLASSES[2].1 as i32;
    let planes = scratch.planes.resize(gpu, if tiled { 2 * size.0 * size.1 } else { 0 })?;
    let (boxes, areas) = (scratch.boxes.corners.get(), scratch.boxes.areas.get());
    let (errors, centres) = (scratch.errors.resize(gpu, n)?, scratch.centres.resize(gpu, n)?);
    let lists = scratch.lists.resize(gpu, (CLASSES.len() + 1) * n)?;
    let (first, finished) = (scratch.first_tile.resize(gpu, n)?, scratch.finished.resize(gpu, n)?);
    let (grid, block, labels) = (blocks(n), (256, 1, 1), labels.get());
    kernels::flow_plan(
        gpu, grid, block, 0, boxes, areas, max_label, errors, lists, first, finished, counters,
    )?;
    let processors = gpu.multiprocessors()? as u32;
    for (k, (cells, threads, blocks)) in (0i32..).zip(CLASSES) {
        let (grid, block) = (((blocks * processors).clamp(1, max_label.max(1)), 1, 1), (threads, 1, 1));
        let shared = SHARED + 16 * cells;
        kernels::flow_small(
            gpu, grid, block, shared, labels, width, plane, boxes, areas, max_label, flows, k, lists,
            counters, errors,
        )?;
    }
    if !tiled {
        return Ok(false);
    }
    let (grid, threads) = large(gpu, size)?;
    let (block, heat) = ((threads, 1, 1), SHARED + 16 * CLASSES[2].0);
    kernels::flow_centres(
        gpu, grid, block, SHARED, labels, width, boxes, areas, max_label, lists, counters, centres,
    )?;
    kernels::flow_tiles(
        gpu, grid, block, heat, labels, width, plane, boxes, max_label, flows, lists, first, centres,
        finished, counters, planes,
    )?;
    Ok(true)
}

/// Drops the labels whose error exceeds the threshold. The others keep their numbers.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn drop_bad_flows(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    (maps, threshold): (&Buffer<f32>, f64),
    scratch: &mut Scratch,
) -> Result<()> {
    flow_errors(gpu, labels, size, max_label, maps, scratch)?;
    drop_above(gpu, labels, size, &scratch.errors, threshold)
}

/// Drops the labels whose error exceeds the threshold. `errors` begin with that of label 1.
pub(super) fn drop_above(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    errors: &Buffer<f64>,
    threshold: f64,
) -> Result<()> {
    let (grid, plane) = (blocks(size.0 * size.1), (size.0 * size.1) as u64);
    kernels::flow_drop(gpu, grid, (256, 1, 1), 0, labels.get_mut(), plane, errors.get(), threshold)
}
