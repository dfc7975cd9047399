//! Convolutions by the kernels of [`cpu::conv`](crate::cpu::conv).

use std::borrow::Cow;

use rayon::prelude::*;

use super::super::maps::Maps;
use crate::cpu::conv::{self, ConvSum, Isa, Map, PlainWeights, WIDEST_VECTOR, Weights};
use crate::model::params::Conv;

/// `conv(x)`.
pub(super) fn forward(conv: &Conv, x: &Maps<f32>) -> Maps<f32> {
    let (weights, mut y) = (PlainWeights::new(&conv.weight, conv.inputs, conv.outputs), x.like(conv.outputs));
    conv::convolve(Isa::best(), &weights, &conv.bias, &x.data, (x.height, x.width), &mut y.data);
    y
}

/// The gradient of the input: the convolution with inputs and outputs exchanged, and the taps turned by 180°. Of 3×3
/// taps it is computed with transforms: nothing depends on its last digits as on those of the maps.
pub(super) fn data_gradient(conv: &Conv, dy: &Maps<f32>) -> Maps<f32> {
    let (inputs, outputs, taps) = (conv.inputs, conv.outputs, taps(conv));
    let mut weight = vec![0.0; conv.weight.len()];
    for (i, value) in conv.weight.iter().enumerate() {
        let (output, input, tap) = (i / taps / inputs, i / taps % inputs, i % taps);
        weight[(input * outputs + output) * taps + taps - 1 - tap] = *value;
    }
    let turned = Conv { inputs: outputs, outputs: inputs, weight, bias: vec![0.0; inputs] };
    // With few inputs most of what transforms compute is zeros. The plain sum also keeps the digits that the gradients of
    // the first layer need, in which large terms cancel.
    if taps == 1 || inputs < WIDEST_VECTOR { forward(&turned, dy) } else { transformed(&turned, dy) }
}

fn taps(conv: &Conv) -> usize {
    conv.weight.len() / (conv.inputs * conv.outputs)
}

/// Adds the gradients of the weights and of the bias to `grad`.
pub(super) fn weight_gradient(x: &Maps<f32>, dy: &Maps<f32>, grad: &mut Conv) {
    let (inputs, taps) = (grad.inputs, taps(grad));
    let (x_values, dy_values) = (padded(x), padded(dy));
    let batch = |maps: &Maps<f32>, data| {
        let channels = maps.channels.next_multiple_of(WIDEST_VECTOR);
        conv::Batch { data, height: maps.height, width: maps.width, channels }
    };
    let (x_batch, dy_batch) = (batch(x, &x_values), batch(dy, &dy_values));
    let sums = conv::weight_gradient(Isa::best(), x_batch, dy_batch, taps);
    for (i, weight) in grad.weight.iter_mut().enumerate() {
        let (output, input, tap) = (i / taps / inputs, i / taps % inputs, i % taps);
        *weight += sums[(tap * x_batch.channels + input) * dy_batch.channels + output] as f32;
    }
    grad.bias.iter_mut().zip(dy.sums(|_, dy| dy)).for_each(|(g, sum)| *g += sum as f32);
}

/// One image after the other, as the bands of one are enough for all threads.
fn transformed(conv: &Conv, x: &Maps<f32>) -> Maps<f32> {
    let (weights, mut y) = (Weights::new(conv), x.like(conv.outputs));
    let mut src = Map::new(x.height, x.width, x.channels);
    let mut dst = Map::new(x.height, x.width, conv.outputs);
    let length = x.height * x.width;
    for (x, y) in x.data.chunks_exact(length * x.channels).zip(y.data.chunks_exact_mut(length * conv.outputs))
    {
        let stored = src.channels;
        copy((x, conv.inputs), (&mut src.data[..length * stored], stored));
        ConvSum::of(&src, &weights).write(Isa::best(), &mut dst);
        copy((&dst.data[..length * dst.channels], dst.channels), (y, conv.outputs));
    }
    y
}

/// Copies the channels that both have of all pixels.
fn copy((from, from_channels): (&[f32], usize), (to, to_channels): (&mut [f32], usize)) {
    /// Pixels that a thread copies at a time.
    const PIXELS: usize = 4096;
    let channels = from_channels.min(to_channels);
    let pieces = from.par_chunks(PIXELS * from_channels).zip(to.par_chunks_mut(PIXELS * to_channels));
    pieces.for_each(|(from, to)| {
        if from_channels == to_channels {
            return to.copy_from_slice(from);
        }
        for (from, to) in from.chunks_exact(from_channels).zip(to.chunks_exact_mut(to_channels)) {
            to[..channels].copy_from_slice(&from[..channels]);
        }
    });
}

/// The values with zeros for the channels up to a multiple of [`WIDEST_VECTOR`].
fn padded(maps: &Maps<f32>) -> Cow<'_, [f32]> {
    let channels = maps.channels.next_multiple_of(WIDEST_VECTOR);
    if channels == maps.channels {
        return Cow::Borrowed(&maps.data);
    }
    let mut data = vec![0.0; maps.pixels() * channels];
    copy((&maps.data, maps.channels), (&mut data, channels));
    Cow::Owned(data)
}
