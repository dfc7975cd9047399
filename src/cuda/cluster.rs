//! Masks from the end points of the pixels' walks (`dynamics.get_masks_torch`).

use super::follow::Points;
use super::kernels::cluster as kernels;
use super::renumber::{self, renumber};
use super::scan::blocks;
use super::{Buffer, Gpu};
use crate::Result;

/// Scratch memory of [`cluster`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// How many walks ended in each pixel.
    counts: Buffer<u32>,
    /// The seed that each pixel belongs to, as one number: the seed's count in the upper 32 bits, and the index of its
    /// pixel plus 1 in the lower ones.
    owners: Buffer<u64>,
    /// The area of each mask in pixels, by the index of its seed.
    areas: Buffer<u32>,
    /// Memory of [`renumber()`]. Its `count` is the number of labels.
    pub renumber: renumber::Scratch,
}

/// Finds the masks and writes them to `labels`, `[height, width]`: 1 to n in the order of their first pixels, 0 outside
/// cells. n is written to `scratch.renumber.count`.
///
/// Masks that cover more than `max_size_fraction` of the image are dropped.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn cluster(
    gpu: &Gpu,
    points: &Points,
    (height, width): (usize, usize),
    max_size_fraction: f64,
    labels: &mut Buffer<u32>,
    scratch: &mut Scratch,
) -> Result<()> {
    let pixels = height * width;
    let (grid, block, n) = (blocks(pixels), (256, 1, 1), pixels as i32);
    let (starts, ends, found) = (points.pixels.get(), points.ends.get(), points.count.get());
    let (height, width, max_area) = (height as i32, width as i32, pixels as f64 * max_size_fraction);
    let (counts, owners) = (scratch.counts.resize(gpu, pixels)?, scratch.owners.resize(gpu, pixels)?);
    let (areas, out) = (scratch.areas.resize(gpu, pixels)?, labels.resize(gpu, pixels)?);
    kernels::cluster_clear(gpu, grid, block, 0, counts, owners, areas, out, n)?;
    kernels::cluster_counts(gpu, grid, block, 0, ends, found, counts, height, width)?;
    kernels::cluster_seeds(gpu, grid, block, 0, counts, owners, height, width)?;
    kernels::cluster_labels(gpu, grid, block, 0, starts, ends, found, owners, areas, out, height, width)?;
    drop_large(gpu, labels, pixels, &scratch.areas, max_area)?;
    renumber(gpu, labels, pixels, n as u32, &mut scratch.renumber)
}

/// Drops the masks with more than `largest` of the `len` pixels. Labels are indices of seeds, from 1, as in `areas`.
pub(super) fn drop_large(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    len: usize,
    areas: &Buffer<u32>,
    largest: f64,
) -> Result<()> {
    let (labels, areas) = (labels.get_mut(), areas.get());
    kernels::cluster_drop_large(gpu, blocks(len), (256, 1, 1), 0, labels, areas, largest, len as u32)
}

/// An upper bound of the labels of [`cluster`]: each mask needs a seed in which more than `SEED_ABOVE` points end, and
/// no pixel has more than one point.
pub fn max_label((height, width): (usize, usize)) -> u32 {
    (height * width) as u32 / (kernels::SEED_ABOVE + 1)
}
