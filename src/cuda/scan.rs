//! Sums of all that comes before.

use super::{Buffer, Gpu, launch};
use crate::Result;

/// Values that a block sums.
const TILE: usize = 4096;

/// Bytes of shared memory: a total of each warp.
const SHARED: u32 = 8 * 4;

/// Memory for [`scan`].
#[derive(Debug, Default)]
pub struct Scratch {
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
    let (values, grid, count, n) = (values.get(), (tiles.max(1) as u32, 1, 1), tiles as i32, len as i32);
    launch!(gpu, "scan", "scan_totals", grid, (256, 1, 1), SHARED; values, &mut *totals, &n);
    launch!(gpu, "scan", "scan_offsets", (1, 1, 1), (256, 1, 1), SHARED; &mut *totals, &mut *sums, &count, &n);
    launch!(gpu, "scan", "scan_sums", grid, (256, 1, 1), SHARED; values, &*totals, &mut *sums, &n);
    Ok(())
}

/// Blocks of 256 threads for one thread a value; at least one, since a launch of none is an error.
pub(super) fn blocks(len: usize) -> (u32, u32, u32) {
    (len.div_ceil(256).max(1) as u32, 1, 1)
}
