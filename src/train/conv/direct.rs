//! Convolutions as the plain sums over taps and channels.

use rayon::prelude::*;

use super::super::maps::Maps;
use super::super::number::Number;
use crate::model::params::Conv;

/// `conv(x)`.
pub(super) fn forward<T: Number>(conv: &Conv<T>, x: &Maps<T>) -> Maps<T> {
    let mut y = x.like(conv.outputs);
    y.data.par_chunks_exact_mut(conv.outputs).for_each(|pixel| pixel.copy_from_slice(&conv.bias));
    let taps = by_tap(conv);
    correlate(x, &taps, conv.outputs, &mut y);
    y
}

/// The gradient of the input: the correlation with the taps turned by 180°.
pub(super) fn data_gradient<T: Number>(conv: &Conv<T>, dy: &Maps<T>) -> Maps<T> {
    let mut dx = dy.like(conv.inputs);
    let taps = transposed(conv);
    correlate(dy, &taps, conv.inputs, &mut dx);
    dx
}

/// Adds the gradients of the weights and of the bias to `grad`.
///
/// Each tap and input has a task that sums its row of outputs over all pixels: rows in single precision, over the rows
/// in double precision, always in the same order.
pub(super) fn weight_gradient<T: Number>(x: &Maps<T>, dy: &Maps<T>, grad: &mut Conv<T>) {
    let (inputs, outputs) = (grad.inputs, grad.outputs);
    let taps = grad.weight.len() / (inputs * outputs);
    let sums = (0..taps * inputs).into_par_iter().map(|i| tap_gradient(x, dy, i / inputs, taps, i % inputs));
    for (i, sums) in sums.collect::<Vec<Vec<f64>>>().into_iter().enumerate() {
        let (tap, input) = (i / inputs, i % inputs);
        for (output, sum) in sums.into_iter().enumerate() {
            grad.weight[(output * inputs + input) * taps + tap] += T::round(sum);
        }
    }
    grad.bias.iter_mut().zip(dy.sums(|_, dy| dy)).for_each(|(g, sum)| *g += T::round(sum));
}

/// The gradients of the weights from one input at one tap, one for each output.
fn tap_gradient<T: Number>(x: &Maps<T>, dy: &Maps<T>, tap: usize, taps: usize, input: usize) -> Vec<f64> {
    let (outputs, mut total) = (dy.channels, vec![0.0f64; dy.channels]);
    let mut sums = vec![T::default(); dy.channels];
    for row in 0..dy.images * dy.height {
        let Some((source, shift)) = source(row, x.height, tap, taps) else { continue };
        let from = &x.data[source * x.row_length()..][..x.row_length()];
        let to = &dy.data[row * dy.row_length()..][..dy.row_length()];
        sums.fill(T::default());
        for (column, dy) in to.chunks_exact(outputs).enumerate() {
            let at = column.wrapping_add_signed(shift);
            if at < x.width {
                let value = from[at * x.channels + input];
                sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += value * *dy);
            }
        }
        total.iter_mut().zip(&sums).for_each(|(total, sum)| *total += (*sum).into());
    }
    total
}

/// The row that a tap reads for this row of all images, and by how many columns it lies to the right; `None` outside
/// of the image.
fn source(row: usize, height: usize, tap: usize, taps: usize) -> Option<(usize, isize)> {
    if taps == 1 {
        return Some((row, 0));
    }
    let (down, right) = (tap as isize / 3 - 1, tap as isize % 3 - 1);
    let y = (row % height).wrapping_add_signed(down);
    (y < height).then(|| (row - row % height + y, right))
}

/// The weights `[tap, in, out]`.
fn by_tap<T: Number>(conv: &Conv<T>) -> Vec<T> {
    let (inputs, outputs) = (conv.inputs, conv.outputs);
    let taps = conv.weight.len() / (inputs * outputs);
    let weight = |i: usize| {
        let (tap, input, output) = (i / outputs / inputs, i / outputs % inputs, i % outputs);
        conv.weight[(output * inputs + input) * taps + tap]
    };
    (0..conv.weight.len()).map(weight).collect()
}

/// The weights `[tap, out, in]`, the taps turned by 180°.
fn transposed<T: Number>(conv: &Conv<T>) -> Vec<T> {
    let (inputs, outputs) = (conv.inputs, conv.outputs);
    let taps = conv.weight.len() / (inputs * outputs);
    let weight = |i: usize| {
        let (tap, output, input) = (i / inputs / outputs, i / inputs % outputs, i % inputs);
        conv.weight[(output * inputs + input) * taps + taps - 1 - tap]
    };
    (0..conv.weight.len()).map(weight).collect()
}

/// Adds the correlation of `x` with `weights`, `[tap, in, out]`, to `y`, row by row.
fn correlate<T: Number>(x: &Maps<T>, weights: &[T], outputs: usize, y: &mut Maps<T>) {
    let taps = weights.len() / (x.channels * outputs);
    let length = y.row_length();
    y.data.par_chunks_exact_mut(length).enumerate().for_each(|(row, y)| {
        for (tap, weights) in weights.chunks_exact(x.channels * outputs).enumerate() {
            let Some((source, shift)) = source(row, x.height, tap, taps) else { continue };
            let from = &x.data[source * x.row_length()..][..x.row_length()];
            for (column, y) in y.chunks_exact_mut(outputs).enumerate() {
                let at = column.wrapping_add_signed(shift);
                if at >= x.width {
                    continue;
                }
                let pixel = &from[at * x.channels..][..x.channels];
                for (value, weights) in pixel.iter().zip(weights.chunks_exact(outputs)) {
                    y.iter_mut().zip(weights).for_each(|(y, w)| *y += *value * *w);
                }
            }
        }
    });
}
