//! The stages of volumes, `[depth, height, width]`, on a GPU, under the names that they have for images, as in
//! [`cpu::volume`](crate::cpu::volume). What does not depend on the number of axes is shared with images.
//!
//! A volume has fewer than 2³¹ voxels, since two channels have fewer than 2³² values; that `parts`, `components` and `cluster`
//! take up to 2³² is tested on no GPU yet.

mod backend;
pub mod blend;
pub mod cluster;
pub mod components;
pub mod flow_error;
pub mod follow;
mod network;
pub mod normalize;
pub mod parts;
pub mod resize;
pub mod smooth;
pub mod tiles;

pub use crate::cpu::volume::Size;
use crate::cpu::volume::voxels;

/// The volume as one image of its planes, one below the other, for what is the same in images and volumes.
fn stacked([depth, height, width]: Size) -> (usize, usize) {
    (depth * height, width)
}
