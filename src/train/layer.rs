//! Batch norm, ReLU and a convolution.

use super::maps::Maps;
use super::norm::{self, Stats};
use super::number::Number;
use crate::model::params::Layer;

/// The layer's output for a batch, and the statistics that [`backward`] needs. The running statistics move.
pub(super) fn forward<T: Number>(layer: &mut Layer<T>, x: &Maps<T>, relu: bool) -> (Maps<T>, Stats) {
    let stats = norm::stats(&mut layer.norm, x);
    let active = norm::forward(&layer.norm, &stats, x, relu);
    (T::forward(&layer.conv, &active), stats)
}

/// The gradient of the input `x` from that of the output; adds those of the parameters to `grad`. The input of the
/// convolution is computed again, which takes less than keeping it.
pub(super) fn backward<T: Number>(
    (layer, stats, relu): (&Layer<T>, &Stats, bool),
    x: &Maps<T>,
    dy: &Maps<T>,
    grad: &mut Layer<T>,
) -> Maps<T> {
    let active = norm::forward(&layer.norm, stats, x, relu);
    T::weight_gradient(&active, dy, &mut grad.conv);
    let mut dx = T::data_gradient(&layer.conv, dy);
    norm::backward((&layer.norm, stats, relu), (x, &active), &mut dx, &mut grad.norm);
    dx
}
