//! Batch norm in training mode, with the ReLU after it: `y = weight · (x − mean) / √(var + 1e-5) + bias`, where mean and
//! variance are those of the batch.

use super::maps::Maps;
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
pub(super) fn stats(norm: &mut BatchNorm, x: &Maps) -> Stats {
    let count = x.pixels() as f64;
    let mean = means(x, |_, v| v);
    let var = means(x, |channel, v| (v - mean[channel]).powi(2));
    let unbiased = count / (count - 1.0).max(1.0);
    for (channel, (mean, var)) in mean.iter().zip(&var).enumerate() {
        let moved = |running: &mut f32, new: f64| {
            *running = (f64::from(*running) * (1.0 - MOMENTUM) + new * MOMENTUM) as f32;
        };
        moved(&mut norm.running_mean[channel], *mean);
        moved(&mut norm.running_var[channel], var * unbiased);
    }
    let inverse = var.iter().map(|var| 1.0 / (var + EPS).sqrt()).collect();
    Stats { mean, inverse }
}

fn means(x: &Maps, of: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; x.channels];
    for pixel in x.data.chunks_exact(x.channels) {
        let values = sums.iter_mut().zip(pixel).enumerate();
        values.for_each(|(channel, (sum, v))| *sum += of(channel, f64::from(*v)));
    }
    sums.iter().map(|sum| sum / x.pixels() as f64).collect()
}

/// The norm of `x`, and its ReLU if `relu`.
pub(super) fn forward(norm: &BatchNorm, stats: &Stats, x: &Maps, relu: bool) -> Maps {
    let mut y = x.clone();
    for pixel in y.data.chunks_exact_mut(x.channels) {
        for (channel, v) in pixel.iter_mut().enumerate() {
            let unit = (f64::from(*v) - stats.mean[channel]) * stats.inverse[channel];
            *v = (unit * f64::from(norm.weight[channel]) + f64::from(norm.bias[channel])) as f32;
            if relu {
                *v = v.max(0.0);
            }
        }
    }
    y
}

/// Turns the gradient of the output, `dy`, into that of the input, and adds the gradients of weight and bias to `grad`.
/// `y` is the output, which tells where the ReLU was at work.
pub(super) fn backward(
    (norm, stats, relu): (&BatchNorm, &Stats, bool),
    (x, y): (&Maps, &Maps),
    dy: &mut Maps,
    grad: &mut BatchNorm,
) {
    let channels = x.channels;
    if relu {
        dy.data.iter_mut().zip(&y.data).filter(|(_, y)| **y <= 0.0).for_each(|(dy, _)| *dy = 0.0);
    }
    let (mut shifts, mut scales) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    let unit = |channel: usize, x: f32| (f64::from(x) - stats.mean[channel]) * stats.inverse[channel];
    for (dy, x) in dy.data.chunks_exact(channels).zip(x.data.chunks_exact(channels)) {
        for (channel, (dy, x)) in dy.iter().zip(x).enumerate() {
            shifts[channel] += f64::from(*dy);
            scales[channel] += f64::from(*dy) * unit(channel, *x);
        }
    }
    let count = x.pixels() as f64;
    for channel in 0..channels {
        grad.bias[channel] += shifts[channel] as f32;
        grad.weight[channel] += scales[channel] as f32;
    }
    shifts.iter_mut().chain(&mut scales).for_each(|sum| *sum /= count);
    for (dy, x) in dy.data.chunks_exact_mut(channels).zip(x.data.chunks_exact(channels)) {
        for (channel, (dy, x)) in dy.iter_mut().zip(x).enumerate() {
            let centred = f64::from(*dy) - shifts[channel] - unit(channel, *x) * scales[channel];
            *dy = (f64::from(norm.weight[channel]) * stats.inverse[channel] * centred) as f32;
        }
    }
}
