//! Prefix sums.

use super::kernels::scan as kernels;
use super::{Buffer, Gpu};
use crate::Result;

/// The number of values that a block sums.
const TILE: usize = kernels::TILE as usize;

/// Bytes of shared memory of a block: the total of each warp.
const SHARED: u32 = 4 * kernels::WARPS as u32;

/// Scratch memory of [`scan`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// The total of each block's values.
    totals: Buffer<u32>,
}

/// Sets `sums[i]` to the sum of the values before `i`, for `i` from 0 to `len`, so that the last of the `len + 1` sums
/// is the total. Sums wrap around at 2³²; `len` is at most 2³⁰.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn scan(
    gpu: &Gpu,
    values: &Buffer<u32>,
    len: usize,
    sums: &mut Buffer<u32>,
    scratch: &mut Scratch,
) -> Result<()> {
    let tiles = len.div_ceil(TILE);
    let totals = scratch.totals.resize(gpu, tiles)?;
    let sums = sums.resize(gpu, len + 1)?;
    let (values, n) = (values.get(), len as i32);
    let (grid, block) = ((tiles.max(1) as u32, 1, 1), (32 * kernels::WARPS as u32, 1, 1));
    kernels::scan_totals(gpu, grid, block, SHARED, values, totals, n)?;
    kernels::scan_offsets(gpu, (1, 1, 1), block, SHARED, totals, sums, tiles as i32, n)?;
    kernels::scan_sums(gpu, grid, block, SHARED, values, totals, sums, n)
}

/// The number of blocks of 256 threads, with one thread for each value; at least one, since an empty grid is an error.
pub(super) fn blocks(len: usize) -> (u32, u32, u32) {
    (len.div_ceil(256).max(1) as u32, 1, 1)
}
