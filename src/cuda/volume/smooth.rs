//! Smooths the flows of a volume (`scipy.ndimage.gaussian_filter`, mode `reflect`, four standard deviations).

use super::{Size, voxels};
use crate::Result;
use crate::cpu::volume::smooth::weights;
use crate::cuda::kernels::volume_smooth::volume_smooth;
use crate::cuda::scan::blocks;
use crate::cuda::{Buffer, Gpu};

/// Scratch memory of [`smooth`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// A volume as it was before it is smoothed along an axis.
    source: Buffer<f32>,
    weights: Buffer<f64>,
}

/// Smooths the first `count` of several volumes, `[volume, depth, height, width]`, along z, y and x, as
/// [`cpu::volume::smooth`](crate::cpu::volume::smooth::smooth).
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn smooth(
    gpu: &Gpu,
    volumes: &mut Buffer<f32>,
    count: usize,
    size: Size,
    sigma: [f64; 3],
    scratch: &mut Scratch,
) -> Result<()> {
    let (all, steps) = (voxels(size), [size[1] * size[2], size[2], 1]);
    let (grid, block) = (blocks(all), (256, 1, 1));
    let Scratch { source, weights: table } = scratch;
    source.resize(gpu, all)?;
    for (axis, &sigma) in sigma.iter().enumerate() {
        let weights = weights(sigma);
        if weights.is_empty() {
            continue;
        }
        table.upload(gpu, &weights)?;
        let (reach, length, step) = (weights.len() as i32 - 1, size[axis] as i32, steps[axis] as u32);
        for first in (0..count).map(|volume| volume * all) {
            volumes.copy_to(gpu, first, source, 0, all)?;
            let (out, first, weights) = (volumes.get_mut(), first as u64, table.get());
            volume_smooth(
                gpu,
                grid,
                block,
                0,
                source.get(),
                out,
                first,
                weights,
                reach,
                length,
                step,
                all as u32,
            )?;
        }
    }
    Ok(())
}
