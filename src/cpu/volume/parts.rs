//! One connected part for each label: what is left of a mask beside its largest part is no cell.

use super::Size;
use crate::cpu::parts::keep_largest_of_planes;
use crate::watch::GoOn;

/// Keeps the largest part of each label, as in images. Voxels are of one part if a path of voxels of the label leads from
/// one to the other, each of which shares a face with the next.
pub fn keep_largest_parts(labels: &mut [u32], size: Size) {
    keep_largest_parts_while(labels, size, &|| true);
}

/// Like [`keep_largest_parts`], and leaves the labels as they are when `go_on` is false.
pub(crate) fn keep_largest_parts_while(labels: &mut [u32], [_, height, width]: Size, go_on: GoOn) {
    keep_largest_of_planes(labels, (height, width), go_on);
}
