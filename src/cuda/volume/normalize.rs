//! Percentile normalisation of each channel of a volume, all planes together.

use super::{Size, voxels};
use crate::cuda::kernels::volume_normalize::{Grid, volume_normalize_sample};
use crate::cuda::normalize::{Scratch as OfImages, normalize_by};
use crate::cuda::scan::blocks;
use crate::cuda::{Buffer, Gpu};
use crate::plan::percentiles::steps_of_volume;
use crate::{Compat, Normalize, Result};

/// Scratch memory of [`normalize`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// The voxels that the percentiles of a large volume are taken from, `[voxel, nchan]`.
    sample: Buffer<f32>,
    images: OfImages,
}

/// Normalises each channel of `values`, `[depth, height, width, nchan]`, in place, as
/// [`cpu::volume::normalize`](crate::cpu::volume::normalize::normalize). The volume has fewer than 2³¹ voxels.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn normalize(
    gpu: &Gpu,
    values: &mut Buffer<f32>,
    size: Size,
    nchan: usize,
    how: (&Normalize, Compat),
    scratch: &mut Scratch,
) -> Result<()> {
    let Scratch { sample, images } = scratch;
    // Without steps, the percentiles are taken from the volume itself.
    let sample = match steps_of_volume(size) {
        [1, 1, 1] => None,
        steps => {
            self::sample(gpu, values, size, steps, nchan, sample)?;
            Some(&*sample)
        }
    };
    normalize_by(gpu, values, sample, voxels(size), nchan, how, images)
}

/// Copies the voxels of a grid, whose planes, rows and columns lie `steps` apart, to `out`, `[voxel, nchan]`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn sample(
    gpu: &Gpu,
    values: &Buffer<f32>,
    size: Size,
    steps: [usize; 3],
    nchan: usize,
    out: &mut Buffer<f32>,
) -> Result<()> {
    let grid = Grid::new(size, steps);
    let out = out.resize(gpu, grid.size as usize * nchan)?;
    let (blocks, nchan) = (blocks(grid.size as usize), nchan as i32);
    volume_normalize_sample(gpu, blocks, (256, 1, 1), 0, values.get(), out, &grid, nchan)
}

impl Grid {
    fn new(size: Size, steps: [usize; 3]) -> Self {
        let [planes, rows, columns] = [0, 1, 2].map(|axis| size[axis].div_ceil(steps[axis]));
        let all = [planes * rows * columns, rows, columns, steps[0], steps[1], steps[2], size[1], size[2]];
        let [size, rows, columns, far, down, across, height, width] = all.map(|n| n as u32);
        Grid { size, rows, columns, far, down, across, height, width }
    }
}
