//! Batch norm, ReLU and a convolution.

use super::conv;
use super::maps::Maps;
use super::norm::{self, Stats};
use crate::model::params::Layer;

/// The layer's output for a batch, and the statistics that [`backward`] needs. The running statistics move.
pub(super) fn forward(layer: &mut Layer, x: &Maps, relu: bool) -> (Maps, Stats) {
    let stats = norm::stats(&mut layer.norm, x);
    let active = norm::forward(&layer.norm, &stats, x, relu);
    (conv::forward(&layer.conv, &active), stats)
}

/// The gradient of the input `x` from that of the output; adds those of the parameters to `grad`. The input of the
/// convolution is computed again, which takes less than keeping it.
pub(super) fn backward(
    (layer, stats, relu): (&Layer, &Stats, bool),
    x: &Maps,
    dy: &Maps,
    grad: &mut Layer,
) -> Maps {
    let active = norm::forward(&layer.norm, stats, x, relu);
    conv::weight_gradient(&active, dy, &mut grad.conv);
    let mut dx = conv::data_gradient(&layer.conv, dy);
    norm::backward((&layer.norm, stats, relu), (x, &active), &mut dx, &mut grad.norm);
    dx
}
