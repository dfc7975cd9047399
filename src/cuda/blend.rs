//! The weighted average of overlapping tiles (`_taper_mask`, `unaugment_tiles`, `average_tiles`).

use super::kernels::blend::{self as kernels, Layout, Line};
use super::resize::{BLOCK, blocks};
use super::{Buffer, Gpu};
use crate::Result;
use crate::plan::grid::Grid;
use crate::plan::taper::{taper, total_weight};

/// Scratch memory of [`blend`]. It keeps the tables of the last grid, since the next image often has the same one.
#[derive(Debug, Default)]
pub struct Scratch {
    grid: Option<Grid>,
    /// Which tiles cover each row, then each column, of the padded image.
    pub(super) lines: Buffer<Line>,
    /// The first row of each row of tiles, then the first column of each column of tiles.
    pub(super) starts: Buffer<u32>,
    /// The weight of each row, then of each column, of a tile.
    pub(super) tapers: Buffer<f64>,
    /// One value: 1 if the last maps have a value that is not finite, otherwise 0.
    pub broken: Buffer<u32>,
}

/// Writes the weighted average of the network's outputs to `out`, as [`Blend`](crate::cpu::blend::Blend) computes it.
///
/// `values` is `[tiles, nout, tile height, tile width]`, with the tiles in the order of [`Grid::tiles`]. `out` becomes
/// `[nout, height, width]` with the size of the grid's image.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn blend(
    gpu: &Gpu,
    values: &Buffer<f32>,
    grid: &Grid,
    nout: usize,
    out: &mut Buffer<f32>,
    scratch: &mut Scratch,
) -> Result<()> {
    scratch.set(gpu, grid)?;
    let broken = scratch.broken.zeros(gpu, 1)?;
    let out = out.resize(gpu, nout * grid.image.0 * grid.image.1)?;
    let (layout, blocks) = (Layout::new(grid), blocks(grid.image, nout));
    let (lines, starts, tapers) = (scratch.lines.get(), scratch.starts.get(), scratch.tapers.get());
    kernels::blend(gpu, blocks, BLOCK, 0, values.get(), out, lines, starts, tapers, &layout, broken)
}

/// Writes the style vector of each image to `out`, `[images, length]`: the sum of the style vectors of its tiles, added in
/// their order and scaled to unit length. `styles` has those of one image after the other, `[images, count, length]`. They
/// become NaN if the maps are `broken` ([`Scratch::broken`]).
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn style(
    gpu: &Gpu,
    styles: &Buffer<f32>,
    count: usize,
    length: usize,
    broken: &Buffer<u32>,
    out: &mut Buffer<f32>,
) -> Result<()> {
    let images = styles.len() / (count * length);
    let out = out.resize(gpu, images * length)?;
    let (grid, shared) = ((images as u32, 1, 1), 4 * length as u32);
    let (styles, broken, count, length) = (styles.get(), broken.get(), count as i32, length as i32);
    kernels::blend_style(gpu, grid, (256, 1, 1), shared, styles, out, count, length, broken)
}

impl Scratch {
    /// Uploads the tables of a grid. The CPU computes the weights, since a GPU's `exp` rounds otherwise.
    pub(super) fn set(&mut self, gpu: &Gpu, grid: &Grid) -> Result<()> {
        if self.grid.as_ref() == Some(grid) {
            return Ok(());
        }
        self.grid = None;
        let tapers = taper(grid.tile);
        let totals = total_weight(grid, &tapers);
        let (rows, columns) = &grid.starts;
        let mut table = lines(&totals.0, rows, grid.tile.0);
        table.extend(lines(&totals.1, columns, grid.tile.1));
        self.lines.upload(gpu, &table)?;
        let starts: Vec<u32> = rows.iter().chain(columns).map(|&start| start as u32).collect();
        self.starts.upload(gpu, &starts)?;
        self.tapers.upload(gpu, &[tapers.0, tapers.1].concat())?;
        self.grid = Some(grid.clone());
        Ok(())
    }
}

/// For each position along an axis: its total weight and the range of tiles that cover it. `starts`, in ascending
/// order, are the first positions of the tiles, and `tile` is their length.
fn lines(totals: &[f64], starts: &[usize], tile: usize) -> Vec<Line> {
    let line = |(i, &total): (usize, &f64)| Line {
        total,
        first: starts.partition_point(|&start| start + tile <= i) as u32,
        end: starts.partition_point(|&start| start <= i) as u32,
    };
    totals.iter().enumerate().map(line).collect()
}

impl Layout {
    pub(super) fn new(grid: &Grid) -> Self {
        let (rows, columns) = &grid.starts;
        Layout {
            height: grid.image.0 as i32,
            width: grid.image.1 as i32,
            top: grid.before.0 as i32,
            left: grid.before.1 as i32,
            padded_height: grid.padded.0 as i32,
            tile_height: grid.tile.0 as i32,
            tile_width: grid.tile.1 as i32,
            tile_rows: rows.len() as i32,
            tile_columns: columns.len() as i32,
            augment: grid.augment.into(),
        }
    }
}
