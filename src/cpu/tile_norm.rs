//! Normalises each part of an image by percentiles of its own (`transforms.normalize99_tile`).

use rayon::prelude::*;

use super::normalize::percentile;
use super::resize::{between, neighbours};
use super::volume::smooth::smooth;
use crate::memory::{collected, room, zeros};
use crate::plan::grid::{Grid, Shape};
use crate::plan::percentiles::min_contrast;
use crate::watch::GoOn;
use crate::{Compat, Normalize};

/// The fraction of a block that overlaps the next one, at least.
const OVERLAP: f64 = 0.1;

/// Scales each plane, `[height, width, nchan]`, of an image (one plane) or a volume, so that the percentiles of its blocks become
/// 0 and 1. Blocks that have no contrast, as of [`Levels`](super::normalize::Levels), take the percentiles of the nearest block
/// of their plane that has; a channel without any becomes zeros. Percentiles are smoothed along z and y, by a standard deviation
/// of one block, and between the middles of blocks they are interpolated.
///
/// With `norm3d`, they are smoothed along y once more, and all planes have the mean of them. With [`Compat::V3_1_1`],
/// `invert` has no effect.
pub fn tile_norm(
    planes: &mut [Vec<f32>],
    size: (usize, usize),
    nchan: usize,
    options: &Normalize,
    compat: Compat,
) {
    tile_norm_while(planes, size, nchan, options, compat, &|| true);
}

/// The bytes that [`tile_norm`] takes beside so many planes, on so many threads.
pub(crate) fn bytes(
    planes: usize,
    (height, width): (usize, usize),
    nchan: usize,
    blocksize: usize,
    threads: usize,
) -> u64 {
    let shape = Shape::of_padded(height, width, blocksize, OVERLAP, false);
    // Of each block two percentiles stay, and a copy of one while they are smoothed.
    let kept = (planes as u64).saturating_mul(3 * size_of::<f32>() as u64);
    // Of the blocks of a plane: both percentiles twice, whether they have contrast, and the nearest that have.
    let plane = 2 * size_of::<[f32; 2]>() + size_of::<bool>() + 2 * size_of::<u32>() + size_of::<usize>();
    let blocks = shape.count().saturating_mul(nchan as u64).saturating_mul(kept + plane as u64);
    let values = (shape.tile().0 * shape.tile().1 * size_of::<f32>()) as u64;
    blocks.saturating_add(values.saturating_mul(threads as u64))
}

/// Like [`tile_norm`], and stops early, with some of this done, when `go_on` is false.
pub(crate) fn tile_norm_while(
    planes: &mut [Vec<f32>],
    (height, width): (usize, usize),
    nchan: usize,
    options: &Normalize,
    compat: Compat,
    go_on: GoOn,
) {
    let grid = Grid::of_padded(height, width, options.tile_norm_blocksize, OVERLAP, false);
    let blocks = Blocks { grid, width, nchan, percentile: options.percentile, compat };
    let count = blocks.grid.count() * nchan * planes.len();
    let (mut lows, mut highs, mut flat) = (room(count), room(count), vec![true; nchan]);
    for plane in planes.iter() {
        let (found, none) = blocks.percentiles(plane, go_on);
        lows.extend(found.iter().map(|[low, _]| low));
        highs.extend(found.iter().map(|[_, high]| high));
        flat.iter_mut().zip(none).for_each(|(flat, none)| *flat &= none);
    }
    let (ny, nx) = blocks.shape();
    let each = !options.norm3d && planes.len() > 1;
    for levels in [&mut lows, &mut highs] {
        let size = [planes.len(), ny, nx * nchan];
        smooth(levels, size, [1.0, 1.0, 0.0]);
        if options.norm3d {
            let sigma = if options.tile_norm_smooth3d > 0.0 { options.tile_norm_smooth3d } else { 1.0 };
            smooth(levels, size, [0.0, sigma, 0.0]);
        }
        if !each {
            *levels = mean(levels, ny * nx * nchan);
        }
    }
    let (rows, columns) = (neighbours(ny, height), neighbours(nx, width));
    let invert = options.invert && compat == Compat::None;
    for (z, plane) in planes.iter_mut().enumerate() {
        let length = nx * nchan;
        let first = if each { z * ny } else { 0 };
        let at = |levels: &[f32], y: usize, out: &mut [f32]| {
            let row = |y: usize| &levels[(first + y) * length..][..length];
            between((row(rows[y].near), row(rows[y].far)), rows[y].weight, &columns, 0, nchan, out);
        };
        let scratch = || [vec![0.0; width * nchan], vec![0.0; width * nchan]];
        let lines = plane.par_chunks_exact_mut(width * nchan).enumerate().filter(|_| go_on());
        lines.for_each_init(scratch, |[low, high], (y, out)| {
            at(&lows, y, low);
            at(&highs, y, high);
            for (i, (out, (low, high))) in out.iter_mut().zip(low.iter().zip(high)).enumerate() {
                let x = (*out - *low) / (*high - *low);
                *out = if flat[i % nchan] {
                    0.0
                } else if invert {
                    1.0 - x
                } else {
                    x
                };
            }
        });
    }
}

/// The mean of several planes, each of which has so many values.
fn mean(values: &[f32], plane: usize) -> Vec<f32> {
    let count = values.len() / plane.max(1);
    let sum = |i: usize| values[i..].iter().step_by(plane).map(|&value| f64::from(value)).sum::<f64>();
    collected(plane, (0..plane).map(|i| (sum(i) / count as f64) as f32))
}

/// The blocks of a plane.
struct Blocks {
    /// Its tiles are the blocks.
    grid: Grid,
    width: usize,
    nchan: usize,
    percentile: [f64; 2],
    compat: Compat,
}

impl Blocks {
    /// How many blocks there are along y and along x.
    fn shape(&self) -> (usize, usize) {
        (self.grid.starts.0.len(), self.grid.starts.1.len())
    }

    /// The low and the high percentile of each block and channel, `[ny, nx, nchan]`, and whether a channel has no contrast
    /// in any block, so that its percentiles are 0 and 1.
    fn percentiles(&self, plane: &[f32], go_on: GoOn) -> (Vec<[f32; 2]>, Vec<bool>) {
        let ((ny, nx), nchan) = (self.shape(), self.nchan);
        let mut found: Vec<[f32; 2]> = zeros(ny * nx * nchan);
        let blocks = found.par_chunks_exact_mut(nchan).enumerate().filter(|_| go_on());
        let values = || room(self.grid.tile.0 * self.grid.tile.1);
        blocks.for_each_init(values, |values, (block, found)| {
            for (channel, found) in found.iter_mut().enumerate() {
                self.values(plane, (block / nx, block % nx), channel, values);
                *found = self.percentile.map(|q| percentile(values, q));
            }
        });
        let none = (0..nchan).map(|channel| self.fill(&mut found, channel)).collect();
        (found, none)
    }

    /// The values of a channel in the block in this row and column of blocks.
    fn values(&self, plane: &[f32], (row, column): (usize, usize), channel: usize, values: &mut Vec<f32>) {
        let (starts, (rows, columns)) = (&self.grid.starts, self.grid.tile);
        let x = starts.1[column];
        values.clear();
        for y in starts.0[row]..starts.0[row] + rows {
            let pixels = &plane[(y * self.width + x) * self.nchan..][..columns * self.nchan];
            values.extend(pixels[channel..].iter().step_by(self.nchan));
        }
    }

    /// Gives the blocks of a channel without contrast the percentiles of the nearest block that has. Whether there is none.
    fn fill(&self, found: &mut [[f32; 2]], channel: usize) -> bool {
        let ((ny, nx), nchan) = (self.shape(), self.nchan);
        let at = |block: usize| block * nchan + channel;
        let good = |&[low, high]: &[f32; 2]| high - low > min_contrast([low, high], self.compat);
        let good = collected(ny * nx, (0..ny * nx).map(|block| good(&found[at(block)])));
        if !good.contains(&true) {
            (0..ny * nx).for_each(|block| found[at(block)] = [0.0, 1.0]);
            return true;
        }
        for (block, nearest) in nearest(&good, nx).into_iter().enumerate() {
            found[at(block)] = found[at(nearest)];
        }
        false
    }
}

/// For each block of rows of `nx` blocks, the nearest that is good, which may be itself; of equally near ones the first. There is
/// at least one.
fn nearest(good: &[bool], nx: usize) -> Vec<usize> {
    // In each column, the row of the nearest good block above, and below, counted from 1; 0 where there is none.
    let (mut above, mut below) = (zeros::<u32>(good.len()), zeros::<u32>(good.len()));
    let own = |block: usize| (block / nx + 1) as u32;
    for block in 0..good.len() {
        above[block] = if good[block] { own(block) } else { block.checked_sub(nx).map_or(0, |b| above[b]) };
    }
    for block in (0..good.len()).rev() {
        below[block] = if good[block] { own(block) } else { below.get(block + nx).copied().unwrap_or(0) };
    }
    let find = |block: usize| {
        let (y, x) = (block / nx, block % nx);
        let mut best = (usize::MAX, block);
        for far in 0..nx {
            if far * far > best.0 {
                break;
            }
            let columns = [x.checked_sub(far), Some(x + far).filter(|&column| column < nx)];
            for column in columns.into_iter().flatten() {
                let rows = [above[y * nx + column], below[y * nx + column]];
                let places = rows
                    .into_iter()
                    .filter_map(|row| (row as usize).checked_sub(1))
                    .map(|row| (row.abs_diff(y).pow(2) + far * far, row * nx + column));
                best = places.fold(best, Ord::min);
            }
        }
        best.1
    };
    let mut all = zeros(good.len());
    all.par_iter_mut().enumerate().for_each(|(block, nearest)| *nearest = find(block));
    all
}
