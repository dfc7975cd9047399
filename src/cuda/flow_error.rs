//! The flow check: masks whose own flows differ from the network's are dropped.
//!
//! Sizes, labels and `most` are as in [`components`](super::components).

use super::components::{Boxes, bounds};
use super::kernels::flow_error::{self as kernels, Counters};
use super::scan::blocks;
use super::{Buffer, Gpu};
use crate::Result;

/// Boxes that are one block's work: cells, threads, blocks on a multiprocessor.
const CLASSES: [(u32, u32, u32); kernels::CLASSES as usize] = [
    (kernels::CELLS_0 as u32, kernels::THREADS_0 as u32, 16),
    (kernels::CELLS_1 as u32, kernels::THREADS_1 as u32, 6),
    (kernels::CELLS_2 as u32, kernels::THREADS_2 as u32, 2),
];
/// The side of the tiles of larger ones.
const TILE: usize = kernels::TILE as usize;
/// Bytes of shared memory beside the heat.
const SHARED: u32 = size_of::<kernels::Shared>() as u32;

/// Memory for [`flow_errors`]: 16 bytes a pixel and 68 a label.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The error of each label from 1 on; NaN without pixels.
    pub errors: Buffer<f64>,
    boxes: Boxes,
    /// Labels by the size of their boxes.
    lists: Buffer<u32>,
    counters: Buffer<Counters>,
    /// Of masks that are cut into tiles: the first tile of all, chunks of tiles that are done, and the centre.
    first_tile: Buffer<u64>,
    finished: Buffer<u64>,
    centres: Buffer<u64>,
    /// Two planes of their heat.
    planes: Buffer<f64>,
}

/// Leaves the error of each label from 1 to `most` in `scratch.errors`. `maps` begins with the flows, `[2, height,
/// width]`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn flow_errors(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    most: u32,
    maps: &Buffer<f32>,
    scratch: &mut Scratch,
) -> Result<()> {
    bounds(gpu, labels, size, most, &mut scratch.boxes)?;
    let counters = scratch.counters.zeros(gpu, 1)?;
    let (n, width, plane) = (most as usize, size.1 as i32, (size.0 * size.1) as u64);
    // In a smaller image, every box is one block's work.
    let tiled = (size.0 + 2) * (size.1 + 2) > CLASSES[2].0 as usize || width > CLASSES[2].1 as i32;
    let planes = scratch.planes.resize(gpu, if tiled { 2 * size.0 * size.1 } else { 0 })?;
    let (labels, maps) = (labels.get(), maps.get());
    let (boxes, pixels) = (scratch.boxes.corners.get(), scratch.boxes.pixels.get());
    let (errors, centres) = (scratch.errors.resize(gpu, n)?, scratch.centres.resize(gpu, n)?);
    let lists = scratch.lists.resize(gpu, (CLASSES.len() + 1) * n)?;
    let (first, finished) = (scratch.first_tile.resize(gpu, n)?, scratch.finished.resize(gpu, n)?);
    let (grid, block) = (blocks(n), (256, 1, 1));
    kernels::flow_plan(gpu, grid, block, 0, boxes, pixels, most, errors, lists, first, finished, counters)?;
    let processors = gpu.multiprocessors()? as u32;
    for (k, (cells, threads, blocks)) in (0i32..).zip(CLASSES) {
        let (grid, block) = (((blocks * processors).clamp(1, most.max(1)), 1, 1), (threads, 1, 1));
        let shared = SHARED + 16 * cells;
        kernels::flow_small(
            gpu, grid, block, shared, labels, width, plane, boxes, pixels, most, maps, k, lists, counters,
            errors,
        )?;
    }
    if !tiled {
        return Ok(());
    }
    let (cells, threads, blocks) = CLASSES[2];
    // Boxes may lie over each other, but seldom four.
    let tiles = 4 * size.0.div_ceil(TILE) as u32 * size.1.div_ceil(TILE) as u32;
    let (grid, block) = (((blocks * processors).min(tiles), 1, 1), (threads, 1, 1));
    let [heat, sums] = [SHARED + 16 * cells, 8 * threads];
    kernels::flow_centres(
        gpu, grid, block, SHARED, labels, width, boxes, pixels, most, lists, counters, centres,
    )?;
    kernels::flow_tiles(
        gpu, grid, block, heat, labels, width, plane, boxes, most, maps, lists, first, centres, finished,
        counters, planes,
    )?;
    kernels::flow_sums(
        gpu, grid, block, sums, labels, width, plane, boxes, pixels, most, lists, counters, planes, errors,
    )
}

/// Drops the labels whose error exceeds the threshold. The others keep their numbers.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn drop_bad_flows(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    most: u32,
    (maps, threshold): (&Buffer<f32>, f64),
    scratch: &mut Scratch,
) -> Result<()> {
    flow_errors(gpu, labels, size, most, maps, scratch)?;
    let (grid, plane) = (blocks(size.0 * size.1), (size.0 * size.1) as u64);
    kernels::flow_drop(gpu, grid, (256, 1, 1), 0, labels.get_mut(), plane, scratch.errors.get(), threshold)
}
