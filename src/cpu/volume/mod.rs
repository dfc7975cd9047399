//! The stages of volumes, `[depth, height, width]`, under the names that they have for images: channels → normalize → resize →
//! network → resize → smooth → follow → cluster → flow_error → parts → components. What does not depend on the number of
//! axes is shared.

mod backend;
pub mod channels;
pub mod cluster;
pub mod components;
pub mod flow_error;
pub mod follow;
mod merge;
pub mod network;
pub mod normalize;
pub mod parts;
pub mod resize;
pub mod smooth;
mod walk;

pub(crate) use backend::Volume;

/// (depth, height, width) of a volume, in voxels.
pub type Size = [usize; 3];

/// The number of voxels.
pub(crate) fn voxels([depth, height, width]: Size) -> usize {
    depth * height * width
}

/// The indices from `reach` before `i` to `reach` behind it, without those outside of an axis of this length.
fn around(i: usize, reach: usize, length: usize) -> std::ops::Range<usize> {
    i.saturating_sub(reach)..(i + reach + 1).min(length)
}
