//! Each voxel of a cell walks along the flows to the fixed point of its cell (`dynamics.follow_flows` in 3D).

use super::super::follow::Inside;
use super::super::kernels::volume_follow::{self as kernels, Step};
use super::super::scan::blocks;
use super::super::{Buffer, Gpu};
use super::{Size, voxels};
use crate::Result;
use crate::options::Sampling;

/// The voxels in cells and the points where their walks ended:
/// [`cpu::volume::follow::Points`](crate::cpu::volume::follow::Points) in the memory of a GPU. The arrays have room for all
/// voxels; only the first `count` values are used.
#[derive(Debug, Default)]
pub struct Points {
    /// Index of each voxel in the volume in C order, ascending.
    pub voxels: Buffer<u32>,
    /// The end point of each of these voxels, (z, y, x), in voxels from the centre of the first voxel of the volume.
    pub ends: Buffer<[f32; 3]>,
    /// One value: the number of these voxels.
    pub count: Buffer<u32>,
}

/// Scratch memory of [`follow`]: 16 bytes for each voxel, and 12 for every 32.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The step of each voxel, in the units in which points walk.
    field: Buffer<Step>,
    inside: Inside,
}

/// Walks `niter` steps from each voxel whose `cellprob` exceeds the threshold.
///
/// `maps` is `[4, depth, height, width]`: the flows (z, y, x), about five times a unit vector, then cellprob. As on the CPU,
/// both [`Sampling::GridSample`] and [`Sampling::Bilinear`] mean `grid_sample`. A flow that is NaN gives end points that are
/// NaN.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
#[expect(clippy::too_many_arguments, reason = "those of the function on the CPU, and the GPU's memory")]
pub fn follow(
    gpu: &Gpu,
    maps: &Buffer<f32>,
    size: Size,
    threshold: f32,
    niter: u32,
    sampling: Sampling,
    out: &mut Points,
    scratch: &mut Scratch,
) -> Result<()> {
    let count = voxels(size);
    let (grid, block) = (blocks(count), (256, 1, 1));
    let [depth, height, width] = size.map(|length| length as u32);
    let field = scratch.field.resize(gpu, count)?;
    let (bits, counts) = scratch.inside.resize(gpu, count)?;
    kernels::volume_follow_field(
        gpu,
        grid,
        block,
        0,
        maps.get(),
        field,
        bits,
        counts,
        threshold,
        depth,
        height,
        width,
        sampling,
    )?;
    let starts = out.voxels.resize(gpu, count)?;
    let (ends, found) = (out.ends.resize(gpu, count)?, out.count.resize(gpu, 1)?);
    scratch.inside.list(gpu, count, starts, found)?;
    kernels::volume_follow_walk(
        gpu, grid, block, 0, field, starts, found, ends, depth, height, width, niter, sampling,
    )
}
