//! Sets a range of memory.

use super::{Buffer, Gpu, launch};
use crate::Result;

/// Sets the first `len` values to `value`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn fill(gpu: &Gpu, out: &mut Buffer<u32>, value: u32, len: usize) -> Result<()> {
    let out = out.resize(gpu, len)?;
    let n = len as i32;
    launch!(gpu, "fill", "fill", (len.div_ceil(256).max(1) as u32, 1, 1), (256, 1, 1), 0; out, &value, &n);
    Ok(())
}
