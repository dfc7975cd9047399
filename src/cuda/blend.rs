//! The weighted average of overlapping tiles.

use cudarc::driver::DeviceRepr;

use super::resize::{BLOCK, blocks};
use super::{Buffer, Gpu, launch};
use crate::Result;
use crate::plan::grid::Grid;
use crate::plan::taper::{taper, total_weight};

/// Memory that is kept from one image to the next: the tables of the last grid.
#[derive(Debug, Default)]
pub struct Scratch {
    grid: Option<Grid>,
    /// Rows, then columns, of the padded image.
    lines: Buffer<Line>,
    /// First rows, then first columns, of the tiles.
    starts: Buffer<u32>,
    /// Weights down, then across, a tile.
    tapers: Buffer<f64>,
}

/// One row or column of the padded image: the sum of the weights of the tiles there, and which tiles those are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    total: f64,
    first: u32,
    end: u32,
}

/// Sizes, as (height, width).
#[repr(C)]
#[derive(Clone, Copy)]
struct Layout {
    image: [i32; 2],
    before: [i32; 2],
    padded_height: i32,
    tile: [i32; 2],
    tiles: [i32; 2],
    augment: i32,
}

// SAFETY: plain numbers, laid out as in the kernel.
unsafe impl DeviceRepr for Line {}
// SAFETY: as above.
unsafe impl DeviceRepr for Layout {}

/// The average, `[nout, height, width]` of the grid's image, of the network's outputs, `[tiles, nout, tile height,
/// tile width]` in the order of [`Grid::tiles`]: see [`Blend`](crate::cpu::blend::Blend).
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
    let out = out.resize(gpu, nout * grid.image.0 * grid.image.1)?;
    let layout = Layout::new(grid);
    let Scratch { lines, starts, tapers, .. } = scratch;
    launch!(
        gpu, "blend", "blend", blocks(grid.image, nout), BLOCK, 0;
        values.get(), out, lines.get(), starts.get(), tapers.get(), &layout
    );
    Ok(())
}

/// The sum of `count` style vectors, `[count, length]`, in their order, of unit length.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn style(
    gpu: &Gpu,
    styles: &Buffer<f32>,
    count: usize,
    length: usize,
    out: &mut Buffer<f32>,
) -> Result<()> {
    let out = out.resize(gpu, length)?;
    let (count, shared, length) = (count as i32, 4 * length as u32, length as i32);
    launch!(
        gpu, "blend", "blend_style", (1, 1, 1), (256, 1, 1), shared;
        styles.get(), out, &count, &length
    );
    Ok(())
}

impl Scratch {
    /// The tables of a grid. The weights come from the processor, whose exponential is another than a GPU's.
    fn set(&mut self, gpu: &Gpu, grid: &Grid) -> Result<()> {
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

/// The tiles at each place, of those that start at `starts`, in ascending order.
fn lines(totals: &[f64], starts: &[usize], tile: usize) -> Vec<Line> {
    let line = |(i, &total): (usize, &f64)| Line {
        total,
        first: starts.partition_point(|&start| start + tile <= i) as u32,
        end: starts.partition_point(|&start| start <= i) as u32,
    };
    totals.iter().enumerate().map(line).collect()
}

impl Layout {
    fn new(grid: &Grid) -> Self {
        let pair = |(y, x): (usize, usize)| [y as i32, x as i32];
        Layout {
            image: pair(grid.image),
            before: pair(grid.before),
            padded_height: grid.padded.0 as i32,
            tile: pair(grid.tile),
            tiles: pair((grid.starts.0.len(), grid.starts.1.len())),
            augment: grid.augment.into(),
        }
    }
}
