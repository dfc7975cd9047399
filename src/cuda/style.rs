//! The style vectors of a batch, and the shifts that the residual blocks of the way up get from them.

use super::conv::{GROUP, Map, Rows, Size, pad, value_bytes};
use super::kernels::style as kernels;
use super::{Buffer, Gpu};
use crate::model::network::Linear;
use crate::{Precision, Result};

/// Threads of a block.
const THREADS: u32 = kernels::THREADS as u32;
/// The number of pixels that one block sums.
const PIXELS: usize = kernels::PIXELS as usize;
/// The number of shifts that one block computes.
const ROWS: usize = kernels::ROWS as usize;

/// The linear maps of all residual blocks of the way up, as one matrix: their rows stand one below the other.
#[derive(Debug)]
pub struct Linears {
    /// `[rows, channels]`.
    weight: Buffer<f32>,
    /// `[rows]`.
    bias: Buffer<f32>,
    /// The first row of each linear map.
    starts: Vec<usize>,
    /// Length of the style vector.
    length: usize,
}

impl Linears {
    /// Copies the linear maps to the GPU. `length` is the length of the style vector.
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

    /// The number of rows, which is the number of shifts of a tile.
    pub fn rows(&self) -> usize {
        self.bias.len()
    }

    /// The bytes that they take on the GPU.
    pub fn bytes(&self) -> usize {
        self.weight.bytes() + self.bias.bytes()
    }

    /// The length of the style vector.
    pub fn length(&self) -> usize {
        self.length
    }

    fn channels(&self) -> usize {
        self.length.next_multiple_of(GROUP)
    }

    /// The number of parts into which the pixels of a tile are cut; a block sums one part.
    fn parts(size: Size) -> usize {
        (size.height * size.width).div_ceil(PIXELS)
    }

    /// The number of partial sums of a batch.
    fn sums(&self, size: Size) -> usize {
        size.count * Self::parts(size) * self.channels()
    }
}

/// The results of [`style`] for a batch that the network needs.
#[derive(Debug)]
pub struct Shifts {
    /// The sums over each part of a tile's pixels, `[tile, part, channels]`.
    sums: Buffer<f64>,
    /// The shifts, `[tile, rows]`.
    shifts: Buffer<f32>,
    /// The same shifts in the precision of the maps.
    rounded: Map,
}

impl Shifts {
    /// Allocates memory for `size.count` tiles, whose size is that at the deepest level.
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

    /// The bytes of memory that [`Shifts::new`] allocates.
    pub fn bytes(precision: Precision, linears: &Linears, size: Size) -> usize {
        8 * linears.sums(size) + (4 + value_bytes(precision)) * size.count * linears.rows()
    }

    /// The shifts of a linear map, by its index in [`Linears::new`].
    pub fn of(&self, linears: &Linears, linear: usize) -> Rows<'_, Buffer<f32>> {
        Rows { table: &self.shifts, at: linears.starts[linear], stride: linears.rows() }
    }

    /// The same shifts in the precision of the maps, for [`ConvSum::act_of_tile`](super::conv::ConvSum::act_of_tile).
    pub fn act_of(&self, linears: &Linears, linear: usize) -> Rows<'_, Map> {
        Rows { table: &self.rounded, at: linears.starts[linear], stride: linears.rows() }
    }
}

/// Writes the style vector of each tile to `style`, `[tile, length]`, and its shifts to `shifts`. The style vector is
/// the mean of the deepest map over the pixels of the tile, scaled to unit length. The linear maps turn it into the
/// shifts.
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
    let grid = (tiles, parts as u32, 1);
    match deepest {
        Map::F16(map) => kernels::style_sums_f16(gpu, grid, block, 0, map.get(), sums, pixels, stored)?,
        Map::F32(map) => kernels::style_sums_f32(gpu, grid, block, 0, map.get(), sums, pixels, stored)?,
    }
    let (weight, bias) = (linears.weight.get(), linears.bias.get());
    let (parts, length, rows) = (parts as i32, linears.length as i32, linears.rows() as i32);
    let grid = (tiles, linears.rows().div_ceil(ROWS) as u32, 1);
    let shared = 4 * (channels as u32 + 1);
    macro_rules! write_shifts {
        ($kernel:ident, $out:expr) => {
            kernels::$kernel(
                gpu, grid, block, shared, sums, weight, bias, style, shifts, $out, parts, pixels, stored,
                length, rows,
            )
        };
    }
    match rounded {
        Map::F16(out) => write_shifts!(style_shifts_f16, out.get_mut()),
        Map::F32(out) => write_shifts!(style_shifts_f32, out.get_mut()),
    }
}
