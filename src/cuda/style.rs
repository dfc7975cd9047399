//! The style vectors of a batch and the shifts that they give.

use super::conv::{GROUP, Map, Rows, Size, pad, value_bytes};
use super::kernels::style as kernels;
use super::{Buffer, Gpu};
use crate::model::network::Linear;
use crate::{Precision, Result};

/// Threads of a block.
const THREADS: u32 = kernels::THREADS as u32;
/// Pixels that one block sums.
const PIXELS: usize = kernels::PIXELS as usize;
/// Shifts that one block computes.
const ROWS: usize = kernels::ROWS as usize;

/// All linear maps of the style, one below the other.
#[derive(Debug)]
pub struct Linears {
    /// `[rows, channels]`.
    weight: Buffer<f32>,
    /// `[rows]`.
    bias: Buffer<f32>,
    /// Where each begins.
    starts: Vec<usize>,
    length: usize,
}

impl Linears {
    /// Lays them out. `length` is that of the style vector.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn new(gpu: &Gpu, linears: &[&Linear], length: usize) -> Result<Self> {
        let channels = length.next_multiple_of(GROUP);
        let (mut weight, mut bias, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for linear in linears {
            starts.push(bias.len());
            bias.extend(pad(&linear.bias));
            linear.weight.chunks_exact(length).for_each(|row| weight.extend(pad(row)));
            weight.resize(bias.len() * channels, 0.0);
        }
        Ok(Linears { weight: Buffer::of(gpu, &weight)?, bias: Buffer::of(gpu, &bias)?, starts, length })
    }

    /// Shifts of a tile.
    pub fn rows(&self) -> usize {
        self.bias.len()
    }

    /// Length of the style vector.
    pub fn length(&self) -> usize {
        self.length
    }

    fn channels(&self) -> usize {
        self.length.next_multiple_of(GROUP)
    }

    fn parts(size: Size) -> usize {
        (size.height * size.width).div_ceil(PIXELS)
    }

    fn sums(&self, size: Size) -> usize {
        size.count * Self::parts(size) * self.channels()
    }
}

/// What [`style`] makes of a batch.
#[derive(Debug)]
pub struct Shifts {
    /// `[tile, part, channels]`.
    sums: Buffer<f64>,
    /// `[tile, rows]`.
    shifts: Buffer<f32>,
    /// The same in the precision of the maps.
    rounded: Map,
}

impl Shifts {
    /// Room for so many tiles, `size` at the deepest level.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn new(gpu: &Gpu, precision: Precision, linears: &Linears, size: Size) -> Result<Self> {
        let len = size.count * linears.rows();
        let (mut sums, mut shifts) = (Buffer::new(), Buffer::new());
        sums.resize(gpu, linears.sums(size))?;
        shifts.resize(gpu, len)?;
        Ok(Shifts { sums, shifts, rounded: Map::new(gpu, precision, len)? })
    }

    /// Bytes of that room.
    pub fn bytes(precision: Precision, linears: &Linears, size: Size) -> usize {
        8 * linears.sums(size) + (4 + value_bytes(precision)) * size.count * linears.rows()
    }

    /// The shifts of a linear map, by its place in [`Linears::new`].
    pub fn of(&self, linears: &Linears, linear: usize) -> Rows<'_, Buffer<f32>> {
        Rows { table: &self.shifts, at: linears.starts[linear], stride: linears.rows() }
    }

    /// The same for an activation.
    pub fn act_of(&self, linears: &Linears, linear: usize) -> Rows<'_, Map> {
        Rows { table: &self.rounded, at: linears.starts[linear], stride: linears.rows() }
    }
}

/// The mean of the deepest map over each tile's pixels, scaled to unit length, `[tile, length]`, and its linear maps.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn style(
    gpu: &Gpu,
    deepest: &Map,
    size: Size,
    linears: &Linears,
    shifts: &mut Shifts,
    style: &mut Buffer<f32>,
) -> Result<()> {
    let channels = linears.channels();
    assert!(deepest.len() >= size.pixels() * channels && shifts.sums.len() >= linears.sums(size));
    assert!(shifts.shifts.len() >= size.count * linears.rows() && style.len() >= size.count * linears.length);
    let (tiles, block) = (size.count as u32, (THREADS, 1, 1));
    let parts = Linears::parts(size);
    let Shifts { sums, shifts, rounded } = shifts;
    let (sums, shifts, style) = (sums.get_mut(), shifts.get_mut(), style.get_mut());
    let (pixels, stored) = ((size.height * size.width) as i32, channels as i32);
    let grid = (parts as u32, tiles, 1);
    match deepest {
        Map::F16(map) => kernels::style_sums_f16(gpu, grid, block, 0, map.get(), sums, pixels, stored)?,
        Map::F32(map) => kernels::style_sums_f32(gpu, grid, block, 0, map.get(), sums, pixels, stored)?,
    }
    let (weight, bias) = (linears.weight.get(), linears.bias.get());
    let (parts, length, rows) = (parts as i32, linears.length as i32, linears.rows() as i32);
    let grid = (linears.rows().div_ceil(ROWS) as u32, tiles, 1);
    let shared = 4 * (channels as u32 + 1);
    match rounded {
        Map::F16(out) => kernels::style_shifts_f16(
            gpu,
            grid,
            block,
            shared,
            sums,
            weight,
            bias,
            style,
            shifts,
            out.get_mut(),
            parts,
            pixels,
            stored,
            length,
            rows,
        ),
        Map::F32(out) => kernels::style_shifts_f32(
            gpu,
            grid,
            block,
            shared,
            sums,
            weight,
            bias,
            style,
            shifts,
            out.get_mut(),
            parts,
            pixels,
            stored,
            length,
            rows,
        ),
    }
}
