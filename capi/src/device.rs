//! The devices of the machine.

use std::ffi::c_char;

use crate::fault::{Fault, guard, note};
use crate::flowmask_status;
use crate::image::check_pointer;
use crate::sized::{self, Versioned, sized};
use flowmask::cpu::conv::Isa;
use flowmask::{Device, cuda};

/// A device that a model can be loaded onto.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_device {
    /// sizeof(flowmask_device): set it before the call.
    pub size: u32,
    /// Compute capability of a GPU, such as the 9 of 9.0; 0 for the processor.
    pub capability_major: u32,
    /// The minor number of the compute capability, such as the 0 of 9.0; 0 for the processor.
    pub capability_minor: u32,
    /// The number of multiprocessors of a GPU, or of threads of the processor.
    pub units: u32,
    /// The memory of a GPU in bytes; 0 for the processor.
    pub memory: u64,
    /// The device's name for flowmask_model_options.device, such as "cpu" or "cuda:0".
    pub id: [c_char; 16],
    /// The name of the GPU or, for the processor, of the instructions that the convolutions use.
    pub name: [c_char; 112],
}

sized!(
    flowmask_device, "device", first: 152,
    fields: [
        size: u32, capability_major: u32, capability_minor: u32, units: u32, memory: u64, id: [c_char; 16],
        name: [c_char; 112],
    ],
    flowmask_device {
        size: 152, capability_major: 0, capability_minor: 0, units: 0, memory: 0, id: [0; 16], name: [0; 112],
    }
);

/// Counts the devices: the processor, which is the first, and the GPUs that the driver finds. After a count of 1,
/// flowmask_last_error(NULL) says why there are no GPUs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_device_count(count: *mut u32) -> flowmask_status {
    guard(|| {
        check_pointer("count", count)?;
        let gpus = cuda::count().unwrap_or_else(|error| {
            note(&error.to_string());
            0
        });
        // SAFETY: the pointer was checked.
        unsafe { count.write(1 + gpus as u32) };
        Ok(())
    })
}

/// Describes the device with this index, from 0. A GPU is not opened for this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_device_describe(
    index: u32,
    device: *mut flowmask_device,
) -> flowmask_status {
    guard(|| {
        let described = match index {
            0 => cpu(),
            index => gpu(index as usize - 1)?,
        };
        // SAFETY: the caller's struct has the size in its first field.
        unsafe { sized::write(device, &described) }
    })
}

fn cpu() -> flowmask_device {
    let units = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    flowmask_device { units, id: chars("cpu"), name: chars(Isa::best().name()), ..Versioned::defaults() }
}

fn gpu(ordinal: usize) -> Result<flowmask_device, Fault> {
    let count = cuda::count()?;
    if ordinal >= count {
        return Err(Fault::argument("index", format!("there are {} devices", 1 + count)));
    }
    let info = cuda::describe(ordinal)?;
    let (major, minor) = info.capability;
    Ok(flowmask_device {
        capability_major: major as u32,
        capability_minor: minor as u32,
        units: info.multiprocessors as u32,
        memory: info.memory as u64,
        id: chars(&Device::Cuda(ordinal).to_string()),
        name: chars(&info.name),
        ..Versioned::defaults()
    })
}

/// A text as C characters that end with a zero; it is cut off when it is too long.
fn chars<const N: usize>(text: &str) -> [c_char; N] {
    let mut out = [0; N];
    out.iter_mut().zip(text.bytes()).take(N - 1).for_each(|(to, from)| *to = from as c_char);
    out
}
