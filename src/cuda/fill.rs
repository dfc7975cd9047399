//! Sets all values of an array to one number.

use super::scan::blocks;
use super::{Buffer, Gpu, kernels};
use crate::Result;

/// Sets the length of `out` to `len`, and all its values to `value`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn fill(gpu: &Gpu, out: &mut Buffer<u32>, value: u32, len: usize) -> Result<()> {
    let out = out.resize(gpu, len)?;
    kernels::fill::fill(gpu, blocks(len), (256, 1, 1), 0, out, value, len as u32)
}
