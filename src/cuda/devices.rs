//! Lists the GPUs of this machine.

use cudarc::driver::sys::CUdevice_attribute;
use cudarc::driver::{CudaContext, DriverError, result};

use super::driver::{count, driver};
use crate::{Device, Error, Result};

/// A GPU of this machine.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceInfo {
    /// The index of the GPU, counted from 0, as [`Gpu::open`](super::Gpu::open) takes it.
    pub index: usize,
    /// The name of the card.
    pub name: String,
    /// The compute capability of the card, (major, minor), such as (9, 0).
    pub capability: (i32, i32),
    /// The number of multiprocessors.
    pub multiprocessors: usize,
    /// The size of the card's memory in bytes.
    pub memory: usize,
    /// The free bytes of the card's memory; `None` when the card cannot be opened.
    pub free: Option<usize>,
}

/// The GPUs that the driver shows to this process. The environment variable `CUDA_VISIBLE_DEVICES` can hide some.
///
/// # Errors
/// [`Error::Device`] when there is no driver or no GPU; it says which.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    let count = count()?;
    if count == 0 {
        return Err(Error::device("cuda", "the driver shows no GPU"));
    }
    let opened = |index| {
        let context = CudaContext::new(index).and_then(|context| context.mem_get_info());
        Ok(DeviceInfo { free: context.ok().map(|(free, _)| free), ..describe(index)? })
    };
    (0..count).map(opened).collect()
}

/// Describes a GPU by its index, counted from 0, without opening it. The number of free bytes stays unknown.
///
/// # Errors
/// [`Error::Device`] when there is no driver or no such GPU.
pub fn describe(index: usize) -> Result<DeviceInfo> {
    driver()?;
    info(index).map_err(|e| Error::device(Device::Cuda(index), e))
}

fn info(index: usize) -> Result<DeviceInfo, DriverError> {
    let device = result::device::get(index as i32)?;
    // SAFETY: the device comes from the driver.
    let attribute = |which| unsafe { result::device::get_attribute(device, which) };
    Ok(DeviceInfo {
        index,
        name: result::device::get_name(device)?,
        capability: (
            attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        multiprocessors: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize,
        // SAFETY: the device comes from the driver.
        memory: unsafe { result::device::total_mem(device) }?,
        free: None,
    })
}
