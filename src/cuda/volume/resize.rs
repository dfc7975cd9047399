//! Resizing of volumes and their labels with the results of `cv2.resize`, plane by plane and then along z.

use super::{Size, voxels};
use crate::Result;
use crate::cuda::kernels::volume_resize::{Scaling, volume_resize_linear, volume_resize_nearest};
use crate::cuda::scan::blocks;
use crate::cuda::{Buffer, Gpu};
use crate::plan::scale::step;

/// Scales `count` volumes, `[count, depth, height, width]`, with linear interpolation, as
/// [`cpu::volume::resize::volumes`](crate::cpu::volume::resize::volumes).
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn volumes(
    gpu: &Gpu,
    source: &Buffer<f32>,
    from: Size,
    to: Size,
    count: usize,
    out: &mut Buffer<f32>,
) -> Result<()> {
    linear(gpu, source, from, to, count, (1, voxels(from), voxels(to)), out)
}

/// Scales one volume with several channels, `[depth, height, width, channels]`, like [`volumes`].
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn channels(
    gpu: &Gpu,
    source: &Buffer<f32>,
    from: Size,
    to: Size,
    channels: usize,
    out: &mut Buffer<f32>,
) -> Result<()> {
    linear(gpu, source, from, to, channels, (channels, 1, 1), out)
}

/// `strides` are the number of values from one voxel to the next, from one volume to the next in the source, and from one
/// volume to the next in `out`.
fn linear(
    gpu: &Gpu,
    source: &Buffer<f32>,
    from: Size,
    to: Size,
    count: usize,
    (stride, source_next, next): (usize, usize, usize),
    out: &mut Buffer<f32>,
) -> Result<()> {
    let out = out.resize(gpu, count * voxels(to))?;
    let (grid, block, scaling, count) =
        (blocks(voxels(to)), (256, 1, 1), Scaling::new(from, to), count as i32);
    let (stride, source_next, next) = (stride as u32, source_next as u64, next as u64);
    volume_resize_linear(gpu, grid, block, 0, source.get(), out, &scaling, count, stride, source_next, next)
}

/// Scales labels, `[depth, height, width]`: each voxel takes the nearest label.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn nearest(gpu: &Gpu, source: &Buffer<u32>, from: Size, to: Size, out: &mut Buffer<u32>) -> Result<()> {
    let out = out.resize(gpu, voxels(to))?;
    let scaling = Scaling::new(from, to);
    volume_resize_nearest(gpu, blocks(voxels(to)), (256, 1, 1), 0, source.get(), out, &scaling)
}

impl Scaling {
    fn new(from: Size, to: Size) -> Self {
        let steps = [0, 1, 2].map(|axis| step(from[axis], to[axis]));
        Scaling { from: from.map(|n| n as u32), to: to.map(|n| n as u32), step: steps }
    }
}
