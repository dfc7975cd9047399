//! What is done to finished masks: holes, small ones, the border, and sizes.
//!
//! Everywhere `size` is (height, width), labels are `[height, width]`, and no label exceeds `most`, which is what the
//! tables of labels are made for: the pixels of the image will always do for labels that came from it, and an eleventh
//! of them for those of [`cluster`](super::cluster::cluster).

use super::fill::fill;
use super::kernels::components::{self as kernels, Counters};
use super::renumber::{self, renumber};
use super::scan::{self, blocks, scan};
use super::{Buffer, Gpu};
use crate::plan::diameter::median_diameter;
use crate::{Compat, Result};

/// Threads of a block, where it is not a mask's.
const BLOCK: (u32, u32, u32) = (256, 1, 1);
/// Blocks for larger boxes, each of which has its own memory.
const LARGE_BLOCKS: usize = 8;

/// Box and size of each label from 1 on: 20 bytes a label.
#[derive(Debug, Default)]
pub struct Boxes {
    /// The complements of the first row and column, one past the last row and column; all 0 without pixels.
    pub corners: Buffer<[u32; 4]>,
    /// `[most]`.
    pub pixels: Buffer<u32>,
}

/// Memory for the functions of this file: 8 bytes a pixel and, of what is used, up to 60 a label.
#[derive(Debug, Default)]
pub struct Scratch {
    boxes: Boxes,
    /// Something of each label that decides whether it is dropped.
    table: Buffer<u32>,
    /// Which labels are there, how many before each, and how many pixels.
    present: Buffer<u32>,
    ranks: Buffer<u32>,
    sums: Buffer<u32>,
    holes: Holes,
    scan: scan::Scratch,
    /// Memory of the last step, which leaves how many labels there are.
    pub renumber: renumber::Scratch,
}

/// Memory for the filling of holes.
#[derive(Debug, Default)]
struct Holes {
    /// The labels before.
    before: Buffer<u32>,
    /// Labels by the size of their boxes; the counters of these lists.
    lists: Buffer<u32>,
    counters: Buffer<Counters>,
    /// Labels in whose holes are others, a bit each.
    eaters: Buffer<u32>,
    /// Bits of large boxes.
    bits: Buffer<u32>,
}

/// Box and size of each label.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn bounds(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    most: u32,
    boxes: &mut Boxes,
) -> Result<()> {
    let corners = boxes.corners.zeros(gpu, most as usize)?;
    let counts = boxes.pixels.zeros(gpu, most as usize)?;
    let pixels = size.0 * size.1;
    if pixels == 0 {
        return Ok(());
    }
    let (width, plane) = (size.1 as i32, pixels as u64);
    kernels::mask_bounds(gpu, blocks(pixels), BLOCK, 0, labels.get(), width, plane, corners, counts)
}

/// Drops masks of fewer than `min_size` pixels, fills the holes of each mask, drops again, and renumbers. The number of
/// masks is left in `scratch.renumber.count` but for [`Compat::V3_1_1`] with a `min_size` of 0.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn fill_holes_and_drop_small(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    most: u32,
    (min_size, compat): (usize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    let pixels = size.0 * size.1;
    if min_size > 0 {
        // It renumbers, and what it drops does not depend on numbers but for the original, which keeps those it gets.
        drop_small(gpu, labels, size, most, (min_size, compat), scratch)?;
    } else if compat == Compat::None {
        renumber(gpu, labels, pixels, most, &mut scratch.renumber)?;
    }
    fill_holes(gpu, labels, size, most, scratch)?;
    match (min_size, compat) {
        (0, Compat::None) => renumber(gpu, labels, pixels, most, &mut scratch.renumber),
        (0, Compat::V3_1_1) => {
            // By the labels before the filling.
            rank(gpu, most, scratch)?;
            let (plane, ranks) = (pixels as u64, scratch.ranks.get());
            kernels::mask_rank(gpu, blocks(pixels), BLOCK, 0, labels.get_mut(), plane, ranks)
        }
        _ => drop_small(gpu, labels, size, most, (min_size, compat), scratch),
    }
}

fn drop_small(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    most: u32,
    (min_size, compat): (usize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    bounds(gpu, labels, size, most, &mut scratch.boxes)?;
    if compat == Compat::V3_1_1 {
        sizes_by_rank(gpu, size.0 * size.1, most, scratch)?;
    }
    let table = match compat {
        Compat::None => &scratch.boxes.pixels,
        Compat::V3_1_1 => &scratch.table,
    };
    drop_below(gpu, labels, size, table, min_size.try_into().unwrap_or(u32::MAX))?;
    renumber(gpu, labels, size.0 * size.1, most, &mut scratch.renumber)
}

/// Drops the labels whose value in the table, from label 1 on, is below `smallest`.
fn drop_below(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    table: &Buffer<u32>,
    smallest: u32,
) -> Result<()> {
    let (grid, plane) = (blocks(size.0 * size.1), (size.0 * size.1) as u64);
    kernels::mask_drop(gpu, grid, BLOCK, 0, labels.get_mut(), plane, table.get(), smallest)
}

/// Counts the labels that are there before each label.
fn rank(gpu: &Gpu, most: u32, scratch: &mut Scratch) -> Result<()> {
    let present = scratch.present.resize(gpu, most as usize)?;
    let pixels = scratch.boxes.pixels.get();
    kernels::mask_present(gpu, blocks(most as usize), BLOCK, 0, pixels, most, present)?;
    scan(gpu, &scratch.present, most as usize, &mut scratch.ranks, &mut scratch.scan)
}

/// The original's mistake: the table gets the sizes of the labels that are there, without the first (which it takes
/// for the background), by rank and not by label.
fn sizes_by_rank(gpu: &Gpu, pixels: usize, most: u32, scratch: &mut Scratch) -> Result<()> {
    rank(gpu, most, scratch)?;
    scan(gpu, &scratch.boxes.pixels, most as usize, &mut scratch.sums, &mut scratch.scan)?;
    fill(gpu, &mut scratch.table, u32::MAX, most as usize)?;
    let (sizes, ranks, sums) = (scratch.boxes.pixels.get(), scratch.ranks.get(), scratch.sums.get());
    let (plane, table) = (pixels as u64, scratch.table.get_mut());
    kernels::mask_sizes_by_rank(gpu, blocks(most as usize), BLOCK, 0, sizes, ranks, sums, most, plane, table)
}

/// Fills the holes of all masks, as if one after another by ascending label. Leaves the boxes from before.
fn fill_holes(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    most: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    bounds(gpu, labels, size, most, &mut scratch.boxes)?;
    let (pixels, holes) = (size.0 * size.1, &mut scratch.holes);
    holes.before.resize(gpu, pixels)?;
    labels.copy_to(gpu, 0, &mut holes.before, 0, pixels)?;
    let counters = holes.counters.zeros(gpu, 1)?;
    let eaters = holes.eaters.zeros(gpu, most.div_ceil(32) as usize)?;
    // Three words for every 32 pixels of a box, for each block.
    let words = 3 * size.1.div_ceil(32) * size.0;
    let bits = holes.bits.resize(gpu, LARGE_BLOCKS * words)?;
    let (boxes, sizes) = (scratch.boxes.corners.get(), scratch.boxes.pixels.get());
    let (lists, before) = (holes.lists.resize(gpu, 2 * most as usize)?, holes.before.get());
    let (labels, width, words) = (labels.get_mut(), size.1 as i32, words as u64);
    kernels::holes_plan(gpu, blocks(most as usize), BLOCK, 0, boxes, sizes, most, lists, counters)?;
    let small = (16 * gpu.multiprocessors()? as u32).clamp(1, most.max(1));
    let classes = [(0, small, 64, 4 * (3 * kernels::WORDS as u32 + 1)), (1, LARGE_BLOCKS as u32, 512, 4)];
    for (large, grid, threads, shared) in classes {
        let (grid, block) = ((grid, 1, 1), (threads, 1, 1));
        kernels::holes_fill(
            gpu, grid, block, shared, before, labels, width, boxes, lists, most, large, bits, words, eaters,
            counters,
        )?;
    }
    let (grid, block) = ((1, 1, 1), (512, 1, 1));
    kernels::holes_eat(gpu, grid, block, 4 * 512, labels, width, boxes, most, bits, eaters, counters)
}

/// Drops masks that touch the border of the image, and renumbers. The number of masks is left in
/// `scratch.renumber.count`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn drop_edges(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    most: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    let (height, width) = (size.0 as i32, size.1 as i32);
    if size.0 * size.1 > 0 {
        fill(gpu, &mut scratch.table, 1, most as usize)?;
        let (grid, table) = (blocks(2 * (size.0 + size.1)), scratch.table.get_mut());
        kernels::mask_edges(gpu, grid, BLOCK, 0, labels.get(), height, width, table)?;
        drop_below(gpu, labels, size, &scratch.table, 1)?;
    }
    renumber(gpu, labels, size.0 * size.1, most, &mut scratch.renumber)
}

/// Pixels of each label that is there, but 0, in the order of the labels, on the host.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn sizes(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    most: u32,
    scratch: &mut Scratch,
) -> Result<Vec<usize>> {
    bounds(gpu, labels, size, most, &mut scratch.boxes)?;
    let pixels = scratch.boxes.pixels.download(gpu)?;
    Ok(pixels.into_iter().filter(|&pixels| pixels > 0).map(|pixels| pixels as usize).collect())
}

/// The median diameter of masks, 0 without any.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn diameter(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    most: u32,
    scratch: &mut Scratch,
) -> Result<f64> {
    sizes(gpu, labels, size, most, scratch).map(median_diameter)
}
