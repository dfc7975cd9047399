//! The weights of a convolution as the products take them.

use super::transform::{Doubled, Lines, Plain};
use super::{BLOCK, Floats, PANEL};
use crate::model::network::Conv;

/// The weights of a convolution, transformed and in panels.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Channels of the input that count.
    pub(super) depth: usize,
    /// All of them, padded to a multiple of [`BLOCK`].
    pub(super) inputs: usize,
    /// Channels of the output, padded likewise.
    pub(super) outputs: usize,
    /// The input is taken at twice its size.
    pub(super) doubled: bool,
    /// 3×3: `[product, panel, depth, PANEL]`; 1×1: the same with one product.
    pub(super) panels: Floats,
    /// `[out]`, padded.
    pub bias: Vec<f32>,
}

impl Weights {
    /// Prepares a convolution of 9 taps or of 1.
    pub fn new(conv: &Conv) -> Self {
        match conv.weight.len() == conv.inputs * conv.outputs {
            true => Self::of(conv, false, 1, |conv, i, panel, to| to(conv.row(0, i, panel))),
            false => Self::of(conv, false, Plain::PRODUCTS.len().pow(2), transform::<Plain>),
        }
    }

    /// Prepares a convolution of 9 taps of a map that is taken at twice its size: each pixel counts four times.
    pub fn doubled(conv: &Conv) -> Self {
        Self::of(conv, true, Doubled::PRODUCTS.len().pow(2), transform::<Doubled>)
    }

    /// `kernels` gives the values of a panel of kernels of one input, product by product.
    fn of(
        conv: &Conv,
        doubled: bool,
        products: usize,
        kernels: impl Fn(&Conv, usize, usize, &mut dyn FnMut([f32; PANEL])),
    ) -> Self {
        let (depth, count) = (conv.inputs, conv.outputs.div_ceil(PANEL));
        let mut panels = Floats::zeros(products * count * depth * PANEL);
        for panel in 0..count {
            for i in 0..depth {
                let mut to = panels.chunks_exact_mut(PANEL).skip(panel * depth + i).step_by(count * depth);
                kernels(conv, i, panel, &mut |values| {
                    to.next().into_iter().for_each(|to| to.copy_from_slice(&values));
                });
            }
        }
        let (inputs, outputs) = (depth.next_multiple_of(BLOCK), conv.outputs.next_multiple_of(BLOCK));
        let mut bias = conv.bias.clone();
        bias.resize(outputs, 0.0);
        Weights { depth, inputs, outputs, doubled, panels, bias }
    }
}

impl Conv {
    /// A tap of an input to the outputs of a panel, zeros beyond the last.
    fn row(&self, tap: usize, input: usize, panel: usize) -> [f32; PANEL] {
        let mut row = [0.0; PANEL];
        let weights = &self.weight[(tap * self.inputs + input) * self.outputs..][..self.outputs];
        let values = weights[panel * PANEL..].iter().take(PANEL);
        row.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        row
    }
}

/// A panel of kernels, along both axes.
fn transform<L: Lines>(conv: &Conv, input: usize, panel: usize, to: &mut dyn FnMut([f32; PANEL])) {
    let g: [_; 9] = std::array::from_fn(|tap| conv.row(tap, input, panel));
    let columns = [0, 1, 2].map(|x| L::expand([&g[x], &g[3 + x], &g[6 + x]]));
    let [left, middle, right] = &columns;
    for ((left, middle), right) in left.iter().zip(middle).zip(right).take(L::PRODUCTS.len()) {
        let line = L::expand([left, middle, right]);
        line.into_iter().take(L::PRODUCTS.len()).for_each(&mut *to);
    }
}
