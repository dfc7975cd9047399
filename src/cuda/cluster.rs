//! End points to masks.

use super::follow::Points;
use super::kernels::cluster as kernels;
use super::renumber::{self, renumber};
use super::scan::blocks;
use super::{Buffer, Gpu};
use crate::Result;

/// Memory for [`cluster`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// How many walks ended in each pixel.
    counts: Buffer<u32>,
    /// The seed that each pixel belongs to: its count in the upper half, its index from 1 in the lower one.
    owners: Buffer<u64>,
    /// Pixels of each label, by the index of its seed.
    sizes: Buffer<u32>,
    /// Memory of the last step, which leaves how many labels there are.
    pub renumber: renumber::Scratch,
}

/// Labels `[height, width]`: 1 to n in the order of their first pixels. n is left in `scratch.renumber.count`.
///
/// Labels that cover more than `max_size_fraction` of the image are removed.
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
    let (height, width, largest) = (height as i32, width as i32, pixels as f64 * max_size_fraction);
    let (counts, owners) = (scratch.counts.resize(gpu, pixels)?, scratch.owners.resize(gpu, pixels)?);
    let (sizes, out) = (scratch.sizes.resize(gpu, pixels)?, labels.resize(gpu, pixels)?);
    kernels::cluster_clear(gpu, grid, block, 0, counts, owners, sizes, out, n)?;
    kernels::cluster_counts(gpu, grid, block, 0, ends, found, counts, height, width)?;
    kernels::cluster_seeds(gpu, grid, block, 0, counts, owners, height, width)?;
    kernels::cluster_labels(gpu, grid, block, 0, starts, ends, found, owners, sizes, out, height, width)?;
    kernels::cluster_drop_large(gpu, grid, block, 0, out, sizes, largest, n)?;
    renumber(gpu, labels, pixels, n as u32, &mut scratch.renumber)
}

/// What no label of [`cluster`] exceeds: a seed takes so many points, and there is at most one for each pixel.
pub fn most_labels((height, width): (usize, usize)) -> u32 {
    (height * width) as u32 / (kernels::SEED_ABOVE + 1)
}
