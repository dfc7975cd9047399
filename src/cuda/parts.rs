//! One connected part for each label.

use super::kernels::parts as kernels;
use super::scan::blocks;
use super::{Buffer, Gpu};
use crate::Result;

/// Scratch memory of [`keep_largest_parts`]: 8 bytes for each pixel and for each label.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For each pixel of a label an earlier pixel of its part, or itself.
    parents: Buffer<u32>,
    /// The area of each part at its first pixel.
    areas: Buffer<u32>,
    /// The area and the complement of the first pixel of each label's largest part.
    best: Buffer<u64>,
}

/// Keeps the largest part of each label of `labels`, `[height, width]`, and sets the pixels of its other parts to 0, as
/// [`cpu::parts`](crate::cpu::parts::keep_largest_parts) does. `size` is (height, width); no label may exceed
/// `max_label`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn keep_largest_parts(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    (height, width): (usize, usize),
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    keep_largest_of_planes(gpu, labels, [1, height, width], max_label, scratch)
}

/// Like [`keep_largest_parts`], for planes one behind the other: a pixel is also next to those at the same place of the
/// planes before and behind. `size` is (planes, height, width).
pub(super) fn keep_largest_of_planes(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: [usize; 3],
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    let pixels = size[0] * size[1] * size[2];
    if pixels == 0 {
        return Ok(());
    }
    let (grid, block, plane) = (blocks(pixels), (256, 1, 1), pixels as u64);
    let (height, width) = (size[1] as i32, size[2] as i32);
    let (parents, areas) = (scratch.parents.resize(gpu, pixels)?, scratch.areas.zeros(gpu, pixels)?);
    let (best, labels) = (scratch.best.zeros(gpu, max_label as usize)?, labels.get_mut());
    kernels::parts_runs(gpu, grid, block, 0, labels, width, plane, parents)?;
    kernels::parts_join(gpu, grid, block, 0, labels, height, width, plane, parents)?;
    kernels::parts_areas(gpu, grid, block, 0, labels, width, plane, parents, areas)?;
    kernels::parts_best(gpu, grid, block, 0, labels, plane, parents, areas, best)?;
    kernels::parts_drop(gpu, grid, block, 0, labels, plane, parents, best)
}
