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
    let mut y = x.clone();
    for pixel in y.data.chunks_exact_mut(x.channels) {
        for (channel, v) in pixel.iter_mut().enumerate() {
            let unit = ((*v).into() - stats.mean[channel]) * stats.inverse[channel];
            let y = unit * norm.weight[channel].into() + norm.bias[channel].into();
            *v = T::round(if relu { y.max(0.0) } else { y });
        }
    }
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
    let channels = x.channels;
    if relu {
        dy.data
            .iter_mut()
            .zip(&y.data)
            .filter(|(_, y)| **y <= T::default())
            .for_each(|(dy, _)| *dy = T::default());
    }
    let (mut shifts, mut scales) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    let unit = |channel: usize, x: T| (x.into() - stats.mean[channel]) * stats.inverse[channel];
    for (dy, x) in dy.data.chunks_exact(channels).zip(x.data.chunks_exact(channels)) {
        for (channel, (dy, x)) in dy.iter().zip(x).enumerate() {
            shifts[channel] += (*dy).into();
            scales[channel] += (*dy).into() * unit(channel, *x);
        }
    }
    let count = x.pixels() as f64;
    for channel in 0..channels {
        grad.bias[channel] += T::round(shifts[channel]);
        grad.weight[channel] += T::round(scales[channel]);
    }
    shifts.iter_mut().chain(&mut scales).for_each(|sum| *sum /= count);
    for (dy, x) in dy.data.chunks_exact_mut(channels).zip(x.data.chunks_exact(channels)) {
        for (channel, (dy, x)) in dy.iter_mut().zip(x).enumerate() {
            let centred = (*dy).into() - shifts[channel] - unit(channel, *x) * scales[channel];
            *dy = T::round(norm.weight[channel].into() * stats.inverse[channel] * centred);
        }
    }
}
