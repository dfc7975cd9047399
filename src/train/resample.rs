//! 2×2 maxima and nearest upsampling, forward and backward. A row of small maps goes with two rows of large ones.

use rayon::prelude::*;

use super::maps::Maps;
use super::number::Number;

fn halved<T: Number>(x: &Maps<T>) -> Maps<T> {
    Maps::zeros([x.images, x.height / 2, x.width / 2, x.channels])
}

fn doubled<T: Number>(x: &Maps<T>) -> Maps<T> {
    Maps::zeros([x.images, x.height * 2, x.width * 2, x.channels])
}

/// For each value of a row of small maps, its index, and the indices of its four values in two rows of large maps.
fn quads(row_length: usize, channels: usize) -> impl Iterator<Item = (usize, [usize; 4])> {
    (0..row_length).map(move |small| {
        let (left, below) = (small / channels * channels + small, 2 * row_length);
        (small, [left, left + channels, left + below, left + below + channels])
    })
}

/// The first of the largest of four values, as in PyTorch.
fn largest<T: Number>(x: &[T], four: [usize; 4]) -> usize {
    four.into_iter().reduce(|best, i| if x[i] > x[best] { i } else { best }).unwrap_or(0)
}

/// Writes each row of the `small` maps from two rows of the `large` ones.
fn gather<T: Number>(large: &Maps<T>, of: impl Fn(&[T], [usize; 4]) -> T + Sync) -> Maps<T> {
    let mut small = halved(large);
    let (length, channels) = (small.row_length(), small.channels);
    let rows = small.data.par_chunks_exact_mut(length).zip(large.data.par_chunks_exact(4 * length));
    rows.for_each(|(small, large)| {
        quads(length, channels).for_each(|(i, four)| small[i] = of(large, four));
    });
    small
}

/// The maximum of each 2×2 pixels.
pub(super) fn pool<T: Number>(x: &Maps<T>) -> Maps<T> {
    gather(x, |x, four| x[largest(x, four)])
}

/// The gradient of the input `x` of [`pool`] is that of the output where the maximum was, 0 elsewhere.
pub(super) fn pool_backward<T: Number>(x: &Maps<T>, dy: &Maps<T>) -> Maps<T> {
    let mut dx = x.like(x.channels);
    let (length, channels) = (dy.row_length(), dy.channels);
    let rows = dx.data.par_chunks_exact_mut(4 * length).zip(x.data.par_chunks_exact(4 * length));
    rows.zip(dy.data.par_chunks_exact(length)).for_each(|((dx, x), dy)| {
        quads(length, channels).for_each(|(i, four)| dx[largest(x, four)] = dy[i]);
    });
    dx
}

/// Each pixel as 2×2 pixels.
pub(super) fn double<T: Number>(x: &Maps<T>) -> Maps<T> {
    let mut y = doubled(x);
    let (length, channels) = (x.row_length(), x.channels);
    let rows = y.data.par_chunks_exact_mut(4 * length).zip(x.data.par_chunks_exact(length));
    rows.for_each(|(y, x)| {
        quads(length, channels).for_each(|(i, four)| four.into_iter().for_each(|at| y[at] = x[i]));
    });
    y
}

/// The gradient of the input of [`double`]: the sum of that of the four pixels.
pub(super) fn double_backward<T: Number>(dy: &Maps<T>) -> Maps<T> {
    gather(dy, |dy, [a, b, c, d]| dy[a] + dy[b] + (dy[c] + dy[d]))
}
