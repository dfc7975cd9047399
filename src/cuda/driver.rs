//! NVIDIA's driver: whether it is there, its version, and how many GPUs it shows.

use cudarc::driver::CudaContext;
use cudarc::driver::sys::{cuDriverGetVersion, is_culib_present};

use crate::{Error, Result};

const NO_DRIVER: &str = "there is no NVIDIA driver on this machine (libcuda.so.1, nvcuda.dll)";

/// How many GPUs there are.
///
/// # Errors
/// [`Error::Device`] without a driver, or when it has none.
pub fn count() -> Result<usize> {
    driver()?;
    CudaContext::device_count().map(|n| n.max(0) as usize).map_err(|e| Error::device("cuda", e))
}

/// Checks that there is a driver; cudarc panics where there is none.
pub(super) fn driver() -> Result<()> {
    // SAFETY: only looks for the library.
    match unsafe { is_culib_present() } {
        true => Ok(()),
        false => Err(Error::device("cuda", NO_DRIVER)),
    }
}

/// The CUDA version of the driver, such as (12, 9).
///
/// # Errors
/// [`Error::Device`]: there is no driver.
pub fn driver_version() -> Result<(i32, i32)> {
    driver()?;
    let mut version = 0;
    // SAFETY: a place for a number.
    unsafe { cuDriverGetVersion(&mut version) }.result().map_err(|e| Error::device("cuda", e))?;
    Ok((version / 1000, version % 1000 / 10))
}
