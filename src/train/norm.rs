//! Batch norm in training mode, with the ReLU after it: `y = weight · (x − mean) / √(var + 1e-5) + bias`, where mean and
//! variance are those of the batch.

use super::maps::Maps;
use super::number::Number;
use crate::model::params::BatchNorm;

/// `eps` of `torch.nn.BatchNorm2d`.
const EPS: f64 = 1e-5;

/// By how much a batch moves the running statistics; the original's `momentum`.
const MOMENTUM: f64 = 0.05;

/// The statistics of a batch, which the backward pass needs. They are in double precision, as their rounding errors are
/// the same at all pixels and do not cancel in the sums over them.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    /// `[channel]`.
    mean: Vec<f64>,
    /// `1 / √(var + eps)`, `[channel]`.
    inverse: Vec<f64>,
}

/// The statistics of `x`, summed in double precision. Moves the running statistics, whose variance is the unbiased one.
pub(super) fn stats<T: Number>(norm: &mut BatchNorm<T>, x: &Maps<T>) -> Stats {
    let count = x.pixels() as f64;
    let mean = means(x, |_, v| v);
    let var = means(x, |channel, v| (v - mean[channel]).powi(2));
    let unbiased = count / (count - 1.0).max(1.0);
    for (channel, (mean, var)) in mean.iter().zip(&var).enumerate() {
        let moved = |running: &mut T, new: f64| {
            *running = T::round((*running).into() * (1.0 - MOMENTUM) + new * MOMENTUM);
        };
        moved(&mut norm.running_mean[channel], *mean);
        moved(&mut norm.running_var[channel], var * unbiased);
    }
    let inverse = var.iter().map(|var| 1.0 / (var + EPS).sqrt()).collect();
    Stats { mean, inverse }
}

fn means<T: Number>(x: &Maps<T>, of: impl Fn(usize, f64) -> f64 + Sync) -> Vec<f64> {
    let sums = x.sums(of);
    sums.iter().map(|sum| sum / x.pixels() as f64).collect()
}

/// The norm of `x`, and its ReLU if `relu`.
pub(super) fn forward<T: Number>(norm: &BatchNorm<T>, stats: &Stats, x: &Maps<T>, relu: bool) -> Maps<T> {
    let least = if relu { 0.0 } else { f64::NEG_INFINITY };
    let of = |channel: usize| {
        let scale = stats.inverse[channel] * norm.weight[channel].into();
        (scale, norm.bias[channel].into() - stats.mean[channel] * scale)
    };
    let affine: Vec<(f64, f64)> = (0..x.channels).map(of).collect();
    let mut y = x.like(x.channels);
    y.change(x, |y, x| {
        for ((y, x), (scale, shift)) in y.iter_mut().zip(x).zip(&affine) {
            *y = T::round(((*x).into() * scale + shift).max(least));
        }
    });
    y
}

/// Turns the gradient of the output, `dy`, into that of the input, and adds the gradients of weight and bias to `grad`.
/// `y` is the output, which tells where the ReLU was at work.
pub(super) fn backward<T: Number>(
    (norm, stats, relu): (&BatchNorm<T>, &Stats, bool),
    (x, y): (&Maps<T>, &Maps<T>),
    dy: &mut Maps<T>,
    grad: &mut BatchNorm<T>,
) {
    if relu {
        dy.change(y, |dy, y| {
            dy.iter_mut().zip(y).for_each(|(dy, y)| *dy = if *y > T::default() { *dy } else { T::default() });
        });
    }
    let shifts = dy.sums(|_, dy| dy);
    let scales = dy.products(x, &stats.mean);
    let count = x.pixels() as f64;
    // The gradient of the input is `weight · inverse · (dy − mean of dy − unit · mean of dy · unit)`, where `unit` is
    // `(x − mean) · inverse`: a linear map of `dy` and `x`.
    let of = |channel: usize| {
        let (mean, inverse) = (stats.mean[channel], stats.inverse[channel]);
        let scale = norm.weight[channel].into() * inverse;
        let slope = -scale * inverse * inverse * scales[channel] / count;
        (scale, slope, -scale * shifts[channel] / count - slope * mean)
    };
    let linear: Vec<(f64, f64, f64)> = (0..x.channels).map(of).collect();
    for channel in 0..x.channels {
        grad.bias[channel] += T::round(shifts[channel]);
        grad.weight[channel] += T::round(scales[channel] * stats.inverse[channel]);
    }
    dy.change(x, |dy, x| {
        for ((dy, x), (scale, slope, shift)) in dy.iter_mut().zip(x).zip(&linear) {
            *dy = T::round((*dy).into() * scale + ((*x).into() * slope + shift));
        }
    });
}
