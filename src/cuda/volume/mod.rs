//! The stages of volumes, `[depth, height, width]`, on a GPU, under the names that they have for images, as in
//! [`cpu::volume`](crate::cpu::volume). What does not depend on the number of axes is shared with images.

mod backend;
pub mod blend;
mod network;
pub mod normalize;
pub mod resize;
pub mod smooth;
pub mod tiles;

pub use crate::cpu::volume::Size;

/// The number of voxels.
fn voxels([depth, height, width]: Size) -> usize {
    depth * height * width
}
