//! The stages on the CPU, one file each: channels → normalize → resize → tiles (these four in one pass: input) → batch
//! (network, blend) → resize → follow → cluster → flow_error → components.
//!
//! These are the building blocks of [`Segmenter`](crate::Segmenter) and the reference for kernels on other
//! devices. They take slices whose lengths must be what their documentation says, and panic otherwise.

mod backend;
pub mod batch;
pub mod blend;
pub mod channels;
pub mod cluster;
pub mod components;
pub mod conv;
pub mod flow_error;
pub mod follow;
pub mod input;
pub(crate) mod lane;
mod memory;
pub mod network;
pub mod normalize;
pub mod resize;
pub mod tiles;
