//! The stages on a GPU. Each stage has one file, as in [`cpu`](crate::cpu): its function launches the kernels of
//! `kernels/NAME.cu` and has the same name as the function that computes the stage on the CPU.
//!
//! The crate builds, and runs on the CPU, without any part of CUDA installed. The driver and NVRTC, the library that
//! compiles the kernels for the card in the machine, are loaded when a [`Gpu`] is opened.
//!
//! Each [`Gpu`] has one stream, and everything it launches runs there in order. On the same input every stage gives the
//! same bits as on the CPU, except the network.

mod backend;
pub mod blend;
mod buffer;
pub mod channels;
pub mod cluster;
pub mod components;
pub mod conv;
mod device;
mod devices;
mod driver;
pub mod fill;
pub mod flow_error;
pub mod follow;
mod handover;
pub(crate) mod kernels;
mod lane;
pub mod measure;
pub mod network;
pub mod normalize;
pub mod nvrtc;
mod on_device;
pub mod parts;
mod pinned;
pub mod renumber;
pub mod resize;
pub mod scan;
mod sources;
pub mod style;
pub mod tiles;
pub mod volume;

pub use buffer::Buffer;
pub use device::Gpu;
pub use devices::{DeviceInfo, describe, devices};
pub use driver::{count, driver_version};
pub use handover::DeviceImage;
pub use kernels::Half;
pub(crate) use lane::lanes;
pub use on_device::OnDevice;
pub use pinned::Pinned;
