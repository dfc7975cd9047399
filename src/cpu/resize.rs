//! Resizing with the results of `cv2.resize`.

use rayon::prelude::*;

use crate::memory::{room, zeros};
use crate::plan::scale::step;
use crate::watch::GoOn;

/// The two source indices between which a destination index lies, and the weight of the second (`INTER_LINEAR`: pixel
/// centres at halves, clamped at the edges, no antialiasing).
pub(super) struct Neighbours {
    pub near: usize,
    pub far: usize,
    pub weight: f32,
}

/// The neighbours of each index of the destination. `from` and `to` are lengths along one axis.
pub(super) fn neighbours(from: usize, to: usize) -> Vec<Neighbours> {
    let step = step(from, to);
    let neighbours = |i: usize| {
        let position = ((i as f64 + 0.5) * step - 0.5) as f32;
        let floor = position.floor();
        match floor as isize {
            near if near < 0 => Neighbours { near: 0, far: 0, weight: 0.0 },
            near if near as usize + 1 >= from => Neighbours { near: from - 1, far: from - 1, weight: 0.0 },
            near => Neighbours { near: near as usize, far: near as usize + 1, weight: position - floor },
        }
    };
    (0..to).map(neighbours).collect()
}

/// Resizes `[height, width, channels]` with bilinear interpolation. `from` and `to` are (height, width).
pub fn linear(source: &[f32], from: (usize, usize), to: (usize, usize), channels: usize) -> Vec<f32> {
    let mut out = zeros(to.0 * to.1 * channels);
    linear_to(source, from, to, channels, &mut out);
    out
}

/// Resizes several planes, `[plane, height, width]`, like [`linear`].
pub(super) fn planes(source: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    planes_while(source, from, to, &|| true)
}

/// Like [`planes`], and stops early, with planes of zeros, when `go_on` is false.
pub(super) fn planes_while(
    source: &[f32],
    from: (usize, usize),
    to: (usize, usize),
    go_on: GoOn,
) -> Vec<f32> {
    let count = source.len() / (from.0 * from.1);
    let mut out = zeros(count * to.0 * to.1);
    let pairs = source.chunks_exact(from.0 * from.1).zip(out.chunks_exact_mut(to.0 * to.1));
    for (plane, out) in pairs.take_while(|_| go_on()) {
        linear_to(plane, from, to, 1, out);
    }
    out
}

pub(super) fn linear_to(
    source: &[f32],
    from: (usize, usize),
    to: (usize, usize),
    channels: usize,
    out: &mut [f32],
) {
    let (rows, columns) = (neighbours(from.0, to.0), neighbours(from.1, to.1));
    let row = |y: usize| &source[y * from.1 * channels..][..from.1 * channels];
    out.par_chunks_exact_mut(to.1 * channels).zip(&rows).for_each(|(out, y)| {
        between((row(y.near), row(y.far)), y.weight, &columns, 0, channels, out);
    });
}

/// Writes a row that lies `weight` of the way from the row `upper` to the row `lower`, both of which begin at the
/// column `first` of the source. `columns` are the neighbours of the columns to write.
#[inline(always)] // takes a fifth less time in `linear`, where `first` is a constant
pub(super) fn between(
    (upper, lower): (&[f32], &[f32]),
    weight: f32,
    columns: &[Neighbours],
    first: usize,
    channels: usize,
    out: &mut [f32],
) {
    for (out, x) in out.chunks_exact_mut(channels).zip(columns) {
        let (near, far) = ((x.near - first) * channels, (x.far - first) * channels);
        for (c, out) in out.iter_mut().enumerate() {
            let across = |row: &[f32]| row[near + c] * (1.0 - x.weight) + row[far + c] * x.weight;
            *out = across(upper) * (1.0 - weight) + across(lower) * weight;
        }
    }
}

/// The source index of each index along an axis whose length `from` becomes `to`, by the rule of [`nearest`].
pub(crate) fn nearest_index(from: usize, to: usize) -> impl Fn(usize) -> usize + Copy {
    let step = step(from, to);
    move |i: usize| ((i as f64 * step) as usize).min(from - 1)
}

/// Resizes labels, `[height, width]`: the source index is `floor(i · from / to)` (`INTER_NEAREST`). `from` and `to` are
/// (height, width).
pub fn nearest(source: &[u32], from: (usize, usize), to: (usize, usize)) -> Vec<u32> {
    let (y_of, x_of) = (nearest_index(from.0, to.0), nearest_index(from.1, to.1));
    let columns: Vec<usize> = (0..to.1).map(x_of).collect();
    let mut out = room(to.0 * to.1);
    out.extend(
        (0..to.0)
            .flat_map(|y| columns.iter().map(move |x| (y, x)))
            .map(|(y, x)| source[y_of(y) * from.1 + x]),
    );
    out
}
