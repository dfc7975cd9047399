//! 2×2 maxima and nearest upsampling, forward and backward.

use super::maps::Maps;
use super::number::Number;

/// The index of a value in maps.
fn index<T: Number>(maps: &Maps<T>, image: usize, y: usize, x: usize, channel: usize) -> usize {
    ((image * maps.height + y) * maps.width + x) * maps.channels + channel
}

/// Calls `f(small, large)` with the index of each value of the small maps and of the four values of the large maps.
fn quads<T: Number>(small: &Maps<T>, large: &Maps<T>, mut f: impl FnMut(usize, [usize; 4])) {
    for image in 0..small.images {
        for (y, x) in (0..small.height).flat_map(|y| (0..small.width).map(move |x| (y, x))) {
            for channel in 0..small.channels {
                let at = |j, i| index(large, image, 2 * y + j, 2 * x + i, channel);
                f(index(small, image, y, x, channel), [at(0, 0), at(0, 1), at(1, 0), at(1, 1)]);
            }
        }
    }
}

fn halved<T: Number>(x: &Maps<T>) -> Maps<T> {
    Maps::zeros([x.images, x.height / 2, x.width / 2, x.channels])
}

fn doubled<T: Number>(x: &Maps<T>) -> Maps<T> {
    Maps::zeros([x.images, x.height * 2, x.width * 2, x.channels])
}

/// The first of the largest of four values, as in PyTorch.
fn largest<T: Number>(x: &Maps<T>, four: [usize; 4]) -> usize {
    four.into_iter().reduce(|best, i| if x.data[i] > x.data[best] { i } else { best }).unwrap_or(0)
}

/// The maximum of each 2×2 pixels.
pub(super) fn pool<T: Number>(x: &Maps<T>) -> Maps<T> {
    let mut y = halved(x);
    let mut values = std::mem::take(&mut y.data);
    quads(&y, x, |small, four| values[small] = x.data[largest(x, four)]);
    y.data = values;
    y
}

/// The gradient of the input `x` of [`pool`] is that of the output where the maximum was, 0 elsewhere.
pub(super) fn pool_backward<T: Number>(x: &Maps<T>, dy: &Maps<T>) -> Maps<T> {
    let mut dx = x.like(x.channels);
    quads(dy, x, |small, four| dx.data[largest(x, four)] = dy.data[small]);
    dx
}

/// Each pixel as 2×2 pixels.
pub(super) fn double<T: Number>(x: &Maps<T>) -> Maps<T> {
    let mut y = doubled(x);
    let mut values = std::mem::take(&mut y.data);
    quads(x, &y, |small, four| four.into_iter().for_each(|i| values[i] = x.data[small]));
    y.data = values;
    y
}

/// The gradient of the input of [`double`]: the sum of that of the four pixels.
pub(super) fn double_backward<T: Number>(dy: &Maps<T>) -> Maps<T> {
    let mut dx = halved(dy);
    let mut values = std::mem::take(&mut dx.data);
    quads(&dx, dy, |small, four| {
        values[small] = four.into_iter().map(|i| dy.data[i]).fold(T::default(), |sum, v| sum + v)
    });
    dx.data = values;
    dx
}
