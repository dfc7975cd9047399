//! A launcher for each kernel. The build script makes the launchers from the kernels' text, with the code in
//! `kernels/launchers`: a module for each file of kernels, with the structs and constants of the file and a function
//! for each kernel, which has the kernel's parameters.
//!
//! For a parameter that is a pointer, a launcher takes the memory of a [`Buffer`] of that type, and only borrows it
//! mutably where the kernel does not say `const`. A pointer within a struct is an [`Address`].

use std::marker::PhantomData;

use bytemuck::Zeroable;
use cudarc::driver::{
    CudaSlice, DevicePtr, DeviceRepr, LaunchArgs, LaunchConfig, PushKernelArg, ValidAsZeroBits,
};
use half::f16;

use super::{Buffer, Gpu};
use crate::Result;
use crate::options::Sampling;

include!(concat!(env!("OUT_DIR"), "/launchers.rs"));

/// The number of blocks of a grid or of threads of a block, (x, y, z).
pub type Dim = (u32, u32, u32);

/// The bits of a number in half precision: a type of its own, so that 16-bit whole numbers cannot pass for it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Half(pub u16);

// SAFETY: 16 bits, as the `half_t` of the kernels.
unsafe impl DeviceRepr for Half {}

impl Half {
    /// The number in half precision that is nearest to `value`.
    pub fn of(value: f32) -> Self {
        Half(f16::from_f32(value).to_bits())
    }

    /// The same number in single precision.
    pub fn to_f32(self) -> f32 {
        f16::from_bits(self.0).to_f32()
    }
}

/// The address of a `T` in a GPU's memory, or [`Address::NONE`]. The memory must stay allocated until the kernels that
/// use the address are done.
#[repr(transparent)]
#[derive(Debug)]
pub struct Address<T>(u64, PhantomData<*const T>);

impl<T> Address<T> {
    /// The null pointer.
    pub const NONE: Self = Address(0, PhantomData);

    /// The address with this number.
    pub fn new(address: u64) -> Self {
        Address(address, PhantomData)
    }

    /// The address as a number.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl<T: DeviceRepr> Address<T> {
    /// The address of the value with index `at` of a buffer.
    pub fn of(gpu: &Gpu, buffer: &Buffer<T>, at: usize) -> Self {
        Address::new(buffer.get().device_ptr(gpu.stream()).0 + (at * size_of::<T>()) as u64)
    }
}

impl<T> Clone for Address<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Address<T> {}

/// Launches a kernel in the stream of `gpu`. `shared` is the number of bytes of dynamic shared memory, and `threads`
/// the kernel's launch bound.
fn start(gpu: &Gpu, mut launch: LaunchArgs, grid: Dim, block: Dim, shared: u32, threads: u32) -> Result<()> {
    debug_assert!(block.0 * block.1 * block.2 <= threads, "{block:?} exceeds the launch bounds, {threads}");
    let config = LaunchConfig { grid_dim: grid, block_dim: block, shared_mem_bytes: shared };
    // SAFETY: the arguments have the types of the kernel's parameters; a test runs each under sanitizers.
    unsafe { launch.launch(config) }.map(|_| ()).map_err(|e| gpu.error(e))
}
