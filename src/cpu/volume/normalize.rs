//! Percentile normalisation of each channel of a volume, all planes together.

use rayon::prelude::*;

use super::Size;
use crate::cpu::normalize::{apply, levels_of_volume};
use crate::watch::GoOn;
use crate::{Compat, Normalize};

/// Normalises the channels of `values`, `[depth, height, width, nchan]`, in place, as in
/// [images](crate::cpu::normalize::normalize). In a volume of more than 224³ voxels, percentiles are taken from a grid of
/// voxels, as in the original.
pub fn normalize(values: &mut [f32], size: Size, nchan: usize, options: &Normalize, compat: Compat) {
    normalize_while(values, size, nchan, options, compat, &|| true);
}

/// Like [`normalize`], and stops early, with some of this done, when `go_on` is false.
pub(crate) fn normalize_while(
    values: &mut [f32],
    size: Size,
    nchan: usize,
    options: &Normalize,
    compat: Compat,
    go_on: GoOn,
) {
    let [_, height, width] = size;
    let length = width * nchan;
    let row = |z: usize, y: usize, out: &mut [f32]| {
        out.copy_from_slice(&values[(z * height + y) * length..][..length]);
    };
    let levels = levels_of_volume(row, size, nchan, options, compat);
    let rows = values.par_chunks_exact_mut(length);
    rows.filter(|_| go_on()).for_each(|row| apply(&levels, row));
}
