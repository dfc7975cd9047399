//! The weights of a convolution as the products take them.

use super::transform::{Doubled, Lines, Plain};
use super::{BLOCK, Floats, PANEL};
use crate::model::network::Conv;

/// Inputs whose kernels are written together: line by line, the products' panels lie so far apart that they would
/// drive each other out of the cache.
const RUN: usize = 8;

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
            true => Self::of(conv, false, 1, |kernels: &[[f32; PANEL]; 1], to| to(&kernels[0])),
            false => Self::of(conv, false, Plain::PRODUCTS.len().pow(2), transform::<Plain>),
        }
    }

    /// Prepares a convolution of 9 taps of a map that is taken at twice its size: each pixel counts four times.
    pub fn doubled(conv: &Conv) -> Self {
        Self::of(conv, true, Doubled::PRODUCTS.len().pow(2), transform::<Doubled>)
    }

    /// `transform` gives the values of a panel of kernels of one input, product by product.
    fn of<const TAPS: usize>(
        conv: &Conv,
        doubled: bool,
        products: usize,
        transform: impl Fn(&[[f32; PANEL]; TAPS], &mut dyn FnMut(&[f32; PANEL])),
    ) -> Self {
        let (depth, count) = (conv.inputs, conv.outputs.div_ceil(PANEL));
        let mut panels = Floats::zeros(products * count * depth * PANEL);
        let mut run = vec![[[0.0; PANEL]; RUN]; products];
        for (panel, kernels) in conv.weight.chunks(PANEL * depth * TAPS).enumerate() {
            for first in (0..depth).step_by(RUN) {
                let inputs = first..depth.min(first + RUN);
                for (i, input) in inputs.clone().enumerate() {
                    let mut to = run.iter_mut();
                    transform(&taps(kernels, depth, input), &mut |values| {
                        to.next().into_iter().for_each(|to| to[i] = *values);
                    });
                }
                let to = panels.chunks_exact_mut(depth * PANEL).skip(panel).step_by(count);
                for (to, run) in to.zip(&run) {
                    to[first * PANEL..inputs.end * PANEL].copy_from_slice(run[..inputs.len()].as_flattened());
                }
            }
        }
        let (inputs, outputs) = (depth.next_multiple_of(BLOCK), conv.outputs.next_multiple_of(BLOCK));
        let mut bias = conv.bias.clone();
        bias.resize(outputs, 0.0);
        Weights { depth, inputs, outputs, doubled, panels, bias }
    }
}

/// The kernels of one input for a panel of outputs, which are `[out, depth, TAPS]`, tap by tap; zeros for outputs that
/// are not there.
fn taps<const TAPS: usize>(kernels: &[f32], depth: usize, input: usize) -> [[f32; PANEL]; TAPS] {
    let mut taps = [[0.0; PANEL]; TAPS];
    for (o, kernels) in kernels.chunks_exact(depth * TAPS).enumerate() {
        let kernel = &kernels[input * TAPS..][..TAPS];
        taps.iter_mut().zip(kernel).for_each(|(tap, weight)| tap[o] = *weight);
    }
    taps
}

/// A panel of kernels, along both axes.
fn transform<L: Lines>(g: &[[f32; PANEL]; 9], to: &mut dyn FnMut(&[f32; PANEL])) {
    let columns = [0, 1, 2].map(|x| L::expand([&g[x], &g[3 + x], &g[6 + x]]));
    let [left, middle, right] = &columns;
    for ((left, middle), right) in left.iter().zip(middle).zip(right).take(L::PRODUCTS.len()) {
        L::expand([left, middle, right]).iter().take(L::PRODUCTS.len()).for_each(&mut *to);
    }
}
