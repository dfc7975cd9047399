//! The stages on the CPU, one file each, in the order in which the data flows.

pub mod blend;
pub mod channels;
pub mod cluster;
pub mod components;
pub mod conv;
pub mod flow_error;
pub mod follow;
pub mod network;
pub mod normalize;
pub mod resize;
pub mod tiles;
