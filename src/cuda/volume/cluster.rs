//! Masks from the end points of the voxels' walks (`dynamics.get_masks_torch` in 3D).

use super::super::cluster::drop_large;
use super::super::kernels::volume_cluster as kernels;
use super::super::renumber::{self, renumber};
use super::super::scan::blocks;
use super::super::{Buffer, Gpu};
use super::follow::Points;
use super::{Size, voxels};
use crate::Result;

/// Bytes of shared memory that a block needs: for each warp the rows of a window with a margin.
const SHARED: u32 = 4 * (kernels::WARPS * kernels::SIDE * kernels::SIDE) as u32;

/// Scratch memory of [`cluster`]: 16 bytes for each voxel, and 4 more in `renumber`.
#[derive(Debug, Default)]
pub struct Scratch {
    /// How many walks ended in each voxel.
    counts: Buffer<u32>,
    /// The seed that each voxel belongs to, as one number: the seed's count in the upper 32 bits, and the index of its voxel
    /// plus 1 in the lower ones.
    owners: Buffer<u64>,
    /// The voxels of each mask, by the index of its seed.
    volumes: Buffer<u32>,
    /// Memory of [`renumber()`]. Its `count` is the number of labels.
    pub renumber: renumber::Scratch,
}

/// Finds the masks and writes them to `labels`, `[depth, height, width]`: 1 to n in the order of their first voxels, 0
/// outside cells. n is written to `scratch.renumber.count`.
///
/// Masks that cover more than `max_size_fraction` of the volume are dropped.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn cluster(
    gpu: &Gpu,
    points: &Points,
    size: Size,
    max_size_fraction: f64,
    labels: &mut Buffer<u32>,
    scratch: &mut Scratch,
) -> Result<()> {
    let count = voxels(size);
    let (grid, block, largest) = (blocks(count), (256, 1, 1), count as f64 * max_size_fraction);
    let (starts, ends, found) = (points.voxels.get(), points.ends.get(), points.count.get());
    let [depth, height, width] = size.map(|length| length as u32);
    let (counts, owners) = (scratch.counts.zeros(gpu, count)?, scratch.owners.zeros(gpu, count)?);
    let (volumes, out) = (scratch.volumes.zeros(gpu, count)?, labels.zeros(gpu, count)?);
    kernels::volume_cluster_counts(gpu, grid, block, 0, ends, found, counts, depth, height, width)?;
    let warps = kernels::WARPS as u32;
    let many = (count.div_ceil(32).max(1) as u32).div_ceil(warps);
    let (windows, threads) = ((many, 1, 1), (32 * warps, 1, 1));
    kernels::volume_cluster_seeds(gpu, windows, threads, SHARED, counts, owners, depth, height, width)?;
    kernels::volume_cluster_labels(
        gpu, grid, block, 0, starts, ends, found, owners, volumes, out, depth, height, width,
    )?;
    drop_large(gpu, labels, count, &scratch.volumes, largest)?;
    renumber(gpu, labels, count, count as u32, &mut scratch.renumber)
}

/// An upper bound of the labels of [`cluster`], as in images.
pub fn max_label(size: Size) -> u32 {
    voxels(size) as u32 / (kernels::SEED_ABOVE + 1)
}
