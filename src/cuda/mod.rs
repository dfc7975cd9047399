//! The stages on a GPU, one file each, as in [`cpu`](crate::cpu): the function that starts the kernels of
//! `kernels/NAME.cu`, with the name of its twin on the processor.
//!
//! Nothing of CUDA has to be installed to build or to run the rest: the driver and NVRTC, which compiles the kernels
//! for the card at hand, are looked for when a [`Gpu`] is opened.
//!
//! All work of a [`Gpu`] goes into its one stream, in order. Every stage but the network gives the same bits as its
//! twin on the same input.

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
pub mod network;
pub mod normalize;
pub mod nvrtc;
mod on_device;
mod pinned;
pub mod renumber;
pub mod resize;
pub mod scan;
mod sources;
pub mod style;
pub mod tiles;

pub use buffer::Buffer;
pub use device::Gpu;
pub use devices::{DeviceInfo, describe, devices};
pub use driver::{count, driver_version};
pub use handover::DeviceImage;
pub use kernels::Half;
pub(crate) use lane::lanes;
pub use on_device::OnDevice;
pub use pinned::Pinned;
