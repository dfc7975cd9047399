//! The weighted average of the tiles of a plane, which is added to the maps of the volume.

use super::{Size, voxels};
use crate::Result;
use crate::cuda::blend::Scratch;
use crate::cuda::kernels::volume_blend::{Layout, Plane, volume_blend};
use crate::cuda::resize::{BLOCK, blocks};
use crate::cuda::{Buffer, Gpu};
use crate::plan::grid::Grid;
use crate::plan::volume::Orientation;

/// Adds the weighted average of the network's outputs for a plane to `maps`, `[4, depth, height, width]`, as
/// [`Maps::add_plane`](crate::cpu::volume::network::Maps::add_plane) adds what [`Blend`](crate::cpu::blend::Blend) computes.
/// [`Scratch::broken`], which must be there, becomes 1 if an output is not finite.
///
/// `values` is `[tiles, 3, tile height, tile width]`; those of the plane begin at the index `first_tile`, in the order of
/// [`Grid::tiles`].
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn add_plane(
    gpu: &Gpu,
    (values, first_tile): (&Buffer<f32>, usize),
    grid: &Grid,
    (size, orientation, plane): (Size, Orientation, usize),
    maps: &mut Buffer<f32>,
    scratch: &mut Scratch,
) -> Result<()> {
    scratch.set(gpu, grid)?;
    let [planes, rows, columns] = orientation.strides(size).map(|step| step as u64);
    let to = Plane {
        first: plane as u64 * planes,
        rows,
        columns,
        maps: orientation.maps().map(|map| (map * voxels(size)) as u64),
    };
    let (layout, blocks, maps) = (Layout::new(grid), blocks(grid.image, to.maps.len()), maps.get_mut());
    let Scratch { lines, starts, tapers, broken, .. } = scratch;
    let (values, tile, broken) = (values.get(), first_tile as u64, broken.get_mut());
    let (lines, starts, tapers) = (lines.get(), starts.get(), tapers.get());
    volume_blend(gpu, blocks, BLOCK, 0, values, tile, maps, lines, starts, tapers, &layout, &to, broken)
}
