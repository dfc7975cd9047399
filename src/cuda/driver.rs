//! NVIDIA's driver: whether it is installed, its version, and the number of its GPUs.

use cudarc::driver::CudaContext;
use cudarc::driver::sys::{cuDriverGetVersion, is_culib_present};

use crate::{Error, Result};

const NO_DRIVER: &str = "there is no NVIDIA driver on this machine (libcuda.so.1, nvcuda.dll)";

/// The number of GPUs that the driver shows.
///
/// # Errors
/// [`Error::Device`] when there is no driver, or when the driver reports an error.
pub fn count() -> Result<usize> {
    driver()?;
    CudaContext::device_count().map(|n| n.max(0) as usize).map_err(|e| Error::device("cuda", e))
}

/// Checks that there is a driver, since cudarc panics without one.
pub(super) fn driver() -> Result<()> {
    // SAFETY: this only looks for the library.
    match unsafe { is_culib_present() } {
        true => Ok(()),
        false => Err(Error::device("cuda", NO_DRIVER)),
    }
}

/// The latest CUDA version that the driver supports, (major, minor), such as (12, 9).
///
/// # Errors
/// [`Error::Device`] when there is no driver.
pub fn driver_version() -> Result<(i32, i32)> {
    driver()?;
    let mut version = 0;
    // SAFETY: the pointer is valid for the number that is written.
    unsafe { cuDriverGetVersion(&mut version) }.result().map_err(|e| Error::device("cuda", e))?;
    Ok((version / 1000, version % 1000 / 10))
}
