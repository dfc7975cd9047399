//! One connected part for each label of a volume.

pub use super::super::parts::Scratch;
use super::super::parts::keep_largest_of_planes;
use super::super::{Buffer, Gpu};
use super::Size;
use crate::Result;

/// Keeps the largest part of each label of `labels`, `[depth, height, width]`, and sets the voxels of its other parts to 0,
/// as [`cpu::volume::parts`](crate::cpu::volume::parts::keep_largest_parts) does. No label may exceed `max_label`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn keep_largest_parts(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: Size,
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    keep_largest_of_planes(gpu, labels, size, max_label, scratch)
}
