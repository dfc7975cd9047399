//! The weights of a convolution as the products take them.

use super::{BLOCK, Floats, PANEL, PLACES};
use crate::model::network::Conv;

/// The weights of a convolution, transformed and in panels.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Channels of the input, padded to a multiple of [`BLOCK`].
    pub(super) inputs: usize,
    /// Channels of the output, padded likewise.
    pub(super) outputs: usize,
    /// 3×3: `[place, panel, in, PANEL]`; 1×1: the same with one place.
    pub(super) panels: Floats,
    /// `[out]`, padded.
    pub bias: Vec<f32>,
}

impl Weights {
    /// Prepares a convolution of 9 taps or of 1.
    pub fn new(conv: &Conv) -> Self {
        let (inputs, outputs) = (conv.inputs.next_multiple_of(BLOCK), conv.outputs.next_multiple_of(BLOCK));
        let count = conv.outputs.div_ceil(PANEL);
        let taps = conv.weight.len() / (conv.inputs * conv.outputs);
        let places = if taps == 9 { PLACES } else { 1 };
        let mut panels = Floats::zeros(places * count * inputs * PANEL);
        for i in 0..conv.inputs {
            for panel in 0..count {
                let mut to = panels.chunks_exact_mut(PANEL).skip(panel * inputs + i).step_by(count * inputs);
                let mut place =
                    |values: [f32; PANEL]| to.next().into_iter().for_each(|to| to.copy_from_slice(&values));
                let tap = |tap: usize| {
                    row(&conv.weight[(tap * conv.inputs + i) * conv.outputs..], conv.outputs, panel)
                };
                match taps {
                    9 => transform_kernel(std::array::from_fn(tap), place),
                    _ => place(tap(0)),
                }
            }
        }
        let mut bias = conv.bias.clone();
        bias.resize(outputs, 0.0);
        Weights { inputs, outputs, panels, bias }
    }
}

/// The outputs of a panel, zeros beyond the last.
fn row(weights: &[f32], outputs: usize, panel: usize) -> [f32; PANEL] {
    let mut row = [0.0; PANEL];
    let values = &weights[panel * PANEL..outputs.min((panel + 1) * PANEL)];
    row[..values.len()].copy_from_slice(values);
    row
}

/// `G g Gᵀ` of a panel of kernels, place by place.
fn transform_kernel(g: [[f32; PANEL]; 9], mut place: impl FnMut([f32; PANEL])) {
    let columns = [0, 1, 2].map(|x| expand([&g[x], &g[3 + x], &g[6 + x]]));
    let [left, middle, right] = &columns;
    for ((left, middle), right) in left.iter().zip(middle).zip(right) {
        expand([left, middle, right]).into_iter().for_each(&mut place);
    }
}

/// A line of `G`.
fn expand([a, b, c]: [&[f32; PANEL]; 3]) -> [[f32; PANEL]; 6] {
    let mut out = [[0.0; PANEL]; 6];
    for o in 0..PANEL {
        let (a, b, c) = (a[o], b[o], c[o]);
        let (even, odd) = (a / 24.0 + c / 6.0, b / 12.0);
        out[0][o] = a / 4.0;
        out[1][o] = (a + b + c) / -6.0;
        out[2][o] = (a - b + c) / -6.0;
        out[3][o] = even + odd;
        out[4][o] = even - odd;
        out[5][o] = c;
    }
    out
}
