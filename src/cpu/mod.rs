//! The stages on the CPU, one file each: channels → sharpen → normalize or tile_norm → resize → tiles → network → blend
//! → resize → follow → cluster → flow_error → parts → components. Two files combine stages: input (channels, normalize
//! and resize in one pass) and batch (the tiles of an image through the network). The stages of volumes have the same
//! names in [`volume`].
//!
//! [`Segmenter`](crate::Segmenter) runs these functions, and the tests compare the CUDA kernels with them. They panic
//! when a slice does not have the length that their documentation states.

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
pub mod measure;
mod memory;
pub mod network;
pub mod normalize;
pub mod parts;
pub mod resize;
pub mod sharpen;
pub mod stitch;
pub mod tile_norm;
pub mod tiles;
pub mod volume;

pub(crate) use backend::{Cpu, Work};
