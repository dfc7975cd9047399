//! Operations on finished masks: filling holes, dropping small masks and those at the border, areas and boxes
//! (cellpose's `utils`).
//!
//! In all functions `size` is (height, width), and labels are `[height, width]`. No label may exceed `max_label`, which
//! is the length of the tables of labels. For labels that were renumbered, the number of pixels is such a bound, and
//! [`cluster::max_label`](super::cluster::max_label) is a smaller one for masks that were just found.

use super::fill::fill;
use super::kernels::components::{self as kernels, Counters};
use super::renumber::{self, renumber};
use super::scan::{self, blocks, scan};
use super::{Buffer, Gpu};
use crate::plan::diameter::median_diameter;
use crate::{Compat, Result};

/// Threads of a block in kernels that give each thread one pixel or one label.
pub(super) const BLOCK: (u32, u32, u32) = (256, 1, 1);
/// Thread blocks for boxes that do not fit into shared memory. Each has its own part of [`Holes::bits`].
pub(super) const LARGE_BLOCKS: usize = 8;

/// The box and the area of each label from 1 to `max_label`: 20 bytes per label.
#[derive(Debug, Default)]
pub struct Boxes {
    /// The bitwise complements of the first row and the first column, then the last row and the last column, each plus
    /// 1. All four are 0 for a number that no pixel has.
    pub corners: Buffer<[u32; 4]>,
    /// The area in pixels; 0 for a number that no pixel has.
    pub areas: Buffer<u32>,
}

/// Scratch memory of the functions of this file: 8 bytes per pixel and up to 60 per label, as far as it is used.
#[derive(Debug, Default)]
pub struct Scratch {
    boxes: Boxes,
    /// A number for each label. The label is dropped when the number is below a limit.
    table: Buffer<u32>,
    /// 1 for each label that occurs, else 0.
    present: Buffer<u32>,
    /// For each label, how many smaller ones occur.
    ranks: Buffer<u32>,
    /// For each label, the total area of all smaller ones.
    sums: Buffer<u32>,
    pub(super) holes: Holes,
    scan: scan::Scratch,
    /// Memory of [`renumber()`]. Its `count` is the number of masks after the last call.
    pub renumber: renumber::Scratch,
}

/// Scratch memory for filling holes.
#[derive(Debug, Default)]
pub(super) struct Holes {
    /// A copy of the labels from before any hole is filled.
    pub(super) before: Buffer<u32>,
    /// The labels with small boxes, then those with large boxes.
    pub(super) lists: Buffer<u32>,
    /// How long each of these lists is, and how far the thread blocks have got in it.
    pub(super) counters: Buffer<Counters>,
    /// One bit for each label: whether other masks lie in its holes.
    pub(super) enclosing: Buffer<u32>,
    /// Bits for the pixels of large boxes.
    pub(super) bits: Buffer<u32>,
}

impl Holes {
    /// Copies the labels of `len` pixels, and clears what is counted. `words` are those for the pixels of large boxes.
    pub(super) fn prepare(
        &mut self,
        gpu: &Gpu,
        labels: &Buffer<u32>,
        len: usize,
        max_label: u32,
        words: usize,
    ) -> Result<()> {
        self.before.resize(gpu, len)?;
        labels.copy_to(gpu, 0, &mut self.before, 0, len)?;
        self.counters.zeros(gpu, 1)?;
        self.enclosing.zeros(gpu, max_label.div_ceil(32) as usize)?;
        self.lists.resize(gpu, 2 * max_label as usize)?;
        self.bits.resize(gpu, words)?;
        Ok(())
    }
}

/// Finds the box and the area of each label.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn bounds(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    boxes: &mut Boxes,
) -> Result<()> {
    let corners = boxes.corners.zeros(gpu, max_label as usize)?;
    let areas = boxes.areas.zeros(gpu, max_label as usize)?;
    let pixels = size.0 * size.1;
    if pixels == 0 {
        return Ok(());
    }
    let (width, plane) = (size.1 as i32, pixels as u64);
    kernels::mask_bounds(gpu, blocks(pixels), BLOCK, 0, labels.get(), width, plane, corners, areas)
}

/// Drops masks of fewer than `min_size` pixels, fills the holes of each mask, drops small masks once more, and
/// renumbers, as [`cpu::components`](crate::cpu::components::fill_holes_and_drop_small) does.
///
/// The number of masks is written to `scratch.renumber.count`, except for [`Compat::V3_1_1`] with `min_size` 0.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn fill_holes_and_drop_small(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    (min_size, compat): (usize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    drop_small_around(gpu, labels, size, max_label, (min_size, compat), scratch, |labels, scratch| {
        fill_holes(gpu, labels, size, max_label, scratch)
    })
}

/// What is done before and after `fill` fills the holes of an image's or a volume's masks. A volume is an image of its
/// planes, one below the other.
pub(super) fn drop_small_around(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    (min_size, compat): (usize, Compat),
    scratch: &mut Scratch,
    fill: impl FnOnce(&mut Buffer<u32>, &mut Scratch) -> Result<()>,
) -> Result<()> {
    let pixels = size.0 * size.1;
    match (min_size, compat) {
        (0, Compat::None) => renumber(gpu, labels, pixels, max_label, &mut scratch.renumber)?,
        (0, Compat::V3_1_1) => {
            bounds(gpu, labels, size, max_label, &mut scratch.boxes)?;
            rank(gpu, max_label, scratch)?;
        }
        // No renumbering is needed before: which masks are dropped depends on the numbers only with V3_1_1, and there
        // the original does not renumber first.
        _ => drop_small(gpu, labels, size, max_label, (min_size, compat), scratch)?,
    }
    fill(labels, scratch)?;
    match (min_size, compat) {
        (0, Compat::None) => renumber(gpu, labels, pixels, max_label, &mut scratch.renumber),
        (0, Compat::V3_1_1) => {
            // The ranks are those of the labels from before the filling.
            let (plane, ranks) = (pixels as u64, scratch.ranks.get());
            kernels::mask_rank(gpu, blocks(pixels), BLOCK, 0, labels.get_mut(), plane, ranks)
        }
        _ => drop_small(gpu, labels, size, max_label, (min_size, compat), scratch),
    }
}

fn drop_small(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    (min_size, compat): (usize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    bounds(gpu, labels, size, max_label, &mut scratch.boxes)?;
    if compat == Compat::V3_1_1 {
        areas_by_rank(gpu, size.0 * size.1, max_label, scratch)?;
    }
    let table = match compat {
        Compat::None => &scratch.boxes.areas,
        Compat::V3_1_1 => &scratch.table,
    };
    drop_below(gpu, labels, size, table, min_size.try_into().unwrap_or(u32::MAX))?;
    renumber(gpu, labels, size.0 * size.1, max_label, &mut scratch.renumber)
}

/// Drops the labels whose number in `table` is below `smallest`. The table begins with label 1.
pub(super) fn drop_below(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    table: &Buffer<u32>,
    smallest: u32,
) -> Result<()> {
    let (grid, plane) = (blocks(size.0 * size.1), (size.0 * size.1) as u64);
    kernels::mask_drop(gpu, grid, BLOCK, 0, labels.get_mut(), plane, table.get(), smallest)
}

/// Finds the rank of each label: how many smaller labels occur.
fn rank(gpu: &Gpu, max_label: u32, scratch: &mut Scratch) -> Result<()> {
    let present = scratch.present.resize(gpu, max_label as usize)?;
    let areas = scratch.boxes.areas.get();
    kernels::mask_present(gpu, blocks(max_label as usize), BLOCK, 0, areas, max_label, present)?;
    scan(gpu, &scratch.present, max_label as usize, &mut scratch.ranks, &mut scratch.scan)
}

/// Repeats the original's fault: it lists the areas of the labels that occur, skips the first, which it takes for the
/// background, and uses a label as an index into this list. Labels beyond the list get `u32::MAX`, so they are kept.
fn areas_by_rank(gpu: &Gpu, pixels: usize, max_label: u32, scratch: &mut Scratch) -> Result<()> {
    rank(gpu, max_label, scratch)?;
    scan(gpu, &scratch.boxes.areas, max_label as usize, &mut scratch.sums, &mut scratch.scan)?;
    fill(gpu, &mut scratch.table, u32::MAX, max_label as usize)?;
    let (areas, ranks, sums) = (scratch.boxes.areas.get(), scratch.ranks.get(), scratch.sums.get());
    let (plane, table) = (pixels as u64, scratch.table.get_mut());
    kernels::mask_sizes_by_rank(
        gpu,
        blocks(max_label as usize),
        BLOCK,
        0,
        areas,
        ranks,
        sums,
        max_label,
        plane,
        table,
    )
}

/// Fills the holes of all masks. The result is that of filling one mask after the other by ascending label.
fn fill_holes(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    bounds(gpu, labels, size, max_label, &mut scratch.boxes)?;
    // Each block needs three words of 32 bits for every 32 pixels of a row.
    let words = 3 * size.1.div_ceil(32) * size.0;
    scratch.holes.prepare(gpu, labels, size.0 * size.1, max_label, LARGE_BLOCKS * words)?;
    let Holes { before, lists, counters, enclosing, bits } = &mut scratch.holes;
    let (before, lists, counters) = (before.get(), lists.get_mut(), counters.get_mut());
    let (enclosing, bits) = (enclosing.get_mut(), bits.get_mut());
    let (boxes, areas) = (scratch.boxes.corners.get(), scratch.boxes.areas.get());
    let (labels, width, words) = (labels.get_mut(), size.1 as i32, words as u64);
    kernels::holes_plan(gpu, blocks(max_label as usize), BLOCK, 0, boxes, areas, max_label, lists, counters)?;
    let small = (16 * gpu.multiprocessors()? as u32).clamp(1, max_label.max(1));
    let classes = [(0, small, 64, 4 * (3 * kernels::WORDS as u32 + 1)), (1, LARGE_BLOCKS as u32, 512, 4)];
    for (large, grid, threads, shared) in classes {
        let (grid, block) = ((grid, 1, 1), (threads, 1, 1));
        kernels::holes_fill(
            gpu, grid, block, shared, before, labels, width, boxes, lists, max_label, large, bits, words,
            enclosing, counters,
        )?;
    }
    let (grid, block) = ((1, 1, 1), (512, 1, 1));
    kernels::holes_enclosing(
        gpu,
        grid,
        block,
        4 * 512,
        labels,
        width,
        boxes,
        max_label,
        bits,
        enclosing,
        counters,
    )
}

/// Drops masks that touch the border of the image, and renumbers. The number of masks is written to
/// `scratch.renumber.count`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn drop_edges(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    let (height, width) = (size.0 as i32, size.1 as i32);
    if size.0 * size.1 > 0 {
        fill(gpu, &mut scratch.table, 1, max_label as usize)?;
        let (grid, table) = (blocks(2 * (size.0 + size.1)), scratch.table.get_mut());
        kernels::mask_edges(gpu, grid, BLOCK, 0, labels.get(), height, width, table)?;
        drop_below(gpu, labels, size, &scratch.table, 1)?;
    }
    renumber(gpu, labels, size.0 * size.1, max_label, &mut scratch.renumber)
}

/// The areas in pixels of the labels from 1 on that occur, in the order of the labels.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn areas(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<Vec<usize>> {
    bounds(gpu, labels, size, max_label, &mut scratch.boxes)?;
    let areas = scratch.boxes.areas.download(gpu)?;
    Ok(areas.into_iter().filter(|&area| area > 0).map(|area| area as usize).collect())
}

/// The median diameter of the masks, in pixels; 0 without masks.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn diameter(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: (usize, usize),
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<f64> {
    areas(gpu, labels, size, max_label, scratch).map(median_diameter)
}
