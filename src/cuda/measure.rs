//! What is summed over the pixels of each cell.

use super::channels::Raw;
use super::kernels::measure::{self as kernels, CellSums, LevelSums};
use super::scan::blocks;
use super::{Buffer, Gpu};
use crate::Result;
use crate::measure::{ChannelSums, Sums};
use crate::memory::zeros;

/// The most thread blocks of a grid along y, each of which takes a channel.
const MOST_CHANNELS: usize = 65_535;

/// Scratch memory of [`measure`]: 56 bytes for each label, and 24 for each of its channels.
#[derive(Debug, Default)]
pub struct Scratch {
    cells: Buffer<CellSums>,
    levels: Buffer<LevelSums>,
}

/// The [`Sums`] of each label of `labels`, `[planes, height, width]`, in ascending order, as
/// [`cpu::measure`](crate::cpu::measure::measure) computes them. `size` is (planes, height, width), with fewer than 2³²
/// voxels; labels above `max_label` are left out. `image` has the pixels, `[planes, height, width, channels]`, and
/// the number of channels. Pixels of single precision are not summed: their sums depend on the order;
/// neither are more than 65535 channels.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device), [`Error::Memory`](crate::Error::Memory).
pub fn measure(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: [usize; 3],
    max_label: u32,
    image: (&Raw, usize),
    scratch: &mut Scratch,
) -> Result<Vec<Sums>> {
    let voxels = size[0] * size[1] * size[2];
    if voxels == 0 || max_label == 0 {
        return Ok(Vec::new());
    }
    let (grid, block, count) = (blocks(voxels), (256, 1, 1), voxels as u64);
    let [height, width] = [size[1], size[2]].map(|side| side as i32);
    let cells = scratch.cells.zeros(gpu, max_label as usize)?;
    kernels::measure_cells(gpu, grid, block, 0, labels.get(), height, width, count, max_label, cells)?;
    let summed = !matches!(image.0, Raw::F32(_)) && image.1 <= MOST_CHANNELS;
    let channels = if summed { image.1 } else { 0 };
    let levels = scratch.levels.zeros(gpu, max_label as usize * channels)?;
    let (grid, labels, most) = ((grid.0, channels as u32, 1), labels.get(), max_label);
    match image.0 {
        _ if channels == 0 => (),
        Raw::U8(raw) => {
            kernels::measure_u8(gpu, grid, block, 0, labels, raw.get(), width, count, most, levels)?
        }
        Raw::U16(raw) => {
            kernels::measure_u16(gpu, grid, block, 0, labels, raw.get(), width, count, most, levels)?
        }
        Raw::F32(_) => (),
    }
    let (mut cells, mut levels) = (zeros(scratch.cells.len()), zeros(scratch.levels.len()));
    scratch.cells.download_to(gpu, &mut cells)?;
    scratch.levels.download_to(gpu, &mut levels)?;
    let of =
        |(i, cell): (usize, &CellSums)| sums(i as u32 + 1, cell, &levels[i * channels..(i + 1) * channels]);
    Ok(cells.iter().enumerate().filter(|(_, cell)| cell.pixels > 0).map(of).collect())
}

fn sums(label: u32, cell: &CellSums, levels: &[LevelSums]) -> Sums {
    let channel = |levels: &LevelSums| ChannelSums {
        sum: levels.sum,
        squares: levels.squares.into(),
        // Of 16 bits at most.
        min: !levels.low as u16,
        max: levels.high as u16,
    };
    Sums {
        label,
        pixels: cell.pixels,
        start: [!cell.first_z, !cell.first_y, !cell.first_x],
        end: [cell.end_z, cell.end_y, cell.end_x],
        coordinates: [cell.z, cell.y, cell.x],
        channels: levels.iter().map(channel).collect(),
    }
}
