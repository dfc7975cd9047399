//! The stages that find the masks of volumes, `[depth, height, width]`, on a GPU: follow → cluster → flow_error → parts →
//! components, as in [`cpu::volume`](crate::cpu::volume). What does not depend on the number of axes is shared with images.
//!
//! A volume has fewer than 2³² voxels.

pub mod cluster;
pub mod components;
pub mod flow_error;
pub mod follow;
pub mod parts;

pub use crate::cpu::volume::Size;

/// The number of voxels.
fn voxels([depth, height, width]: Size) -> usize {
    depth * height * width
}

/// The volume as one image of its planes, one below the other, for what is the same in images and volumes.
fn stacked([depth, height, width]: Size) -> (usize, usize) {
    (depth * height, width)
}
