//! The weights of a convolution, in the layout that the products read.

use super::transform::{Doubled, Lines, Plain};
use super::{Floats, PANEL, WIDEST_VECTOR};
use crate::model::network::Conv;

/// Inputs whose taps are written together. Written one by one, the panels of the products, which lie far apart, would
/// evict each other from the cache.
const RUN: usize = 8;

/// The weights of a convolution, transformed and in panels.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Channels of the input.
    pub(super) depth: usize,
    /// Stored channels of the input, a multiple of [`WIDEST_VECTOR`].
    pub(super) inputs: usize,
    /// Stored channels of the output, a multiple of [`WIDEST_VECTOR`].
    pub(super) outputs: usize,
    /// Whether the input is taken at twice its size.
    pub(super) doubled: bool,
    /// 3×3: `[product, panel, depth, PANEL]`; 1×1: the same with one product.
    pub(super) panels: Floats,
    /// `[out]`, with zeros for the added channels.
    pub bias: Vec<f32>,
}

impl Weights {
    /// The bytes of the weights.
    pub(in crate::cpu) fn bytes(&self) -> u64 {
        (self.panels.len() * size_of::<f32>()) as u64
    }

    /// The bytes that the weights of this convolution take; its input may be taken at twice its size.
    pub(in crate::cpu) fn bytes_of(conv: &Conv, doubled: bool) -> u64 {
        let products = match (conv.weight.len() == conv.inputs * conv.outputs, doubled) {
            (true, _) => 1,
            (false, true) => Doubled::PRODUCTS.len().pow(2),
            (false, false) => Plain::PRODUCTS.len().pow(2),
        };
        (products * conv.outputs.next_multiple_of(PANEL) * conv.inputs * size_of::<f32>()) as u64
    }

    /// Prepares a 3×3 or a 1×1 convolution.
    pub fn new(conv: &Conv) -> Self {
        match conv.weight.len() == conv.inputs * conv.outputs {
            true => Self::of(conv, false, 1, |taps: &[[f32; PANEL]; 1], to| to(&taps[0])),
            false => Self::of(conv, false, Plain::PRODUCTS.len().pow(2), transform::<Plain>),
        }
    }

    /// Prepares a 3×3 convolution of a map that is taken at twice its size: each pixel is repeated as 2×2.
    pub fn doubled(conv: &Conv) -> Self {
        Self::of(conv, true, Doubled::PRODUCTS.len().pow(2), transform::<Doubled>)
    }

    /// `transform` passes on the factors of one input for a panel of outputs, product by product.
    fn of<const TAPS: usize>(
        conv: &Conv,
        doubled: bool,
        products: usize,
        transform: impl Fn(&[[f32; PANEL]; TAPS], &mut dyn FnMut(&[f32; PANEL])),
    ) -> Self {
        let (depth, count) = (conv.inputs, conv.outputs.div_ceil(PANEL));
        let mut panels = Floats::zeros(products * count * depth * PANEL);
        let mut run = vec![[[0.0; PANEL]; RUN]; products];
        for (panel, weights) in conv.weight.chunks(PANEL * depth * TAPS).enumerate() {
            for first in (0..depth).step_by(RUN) {
                let inputs = first..depth.min(first + RUN);
                for (i, input) in inputs.clone().enumerate() {
                    let mut to = run.iter_mut();
                    transform(&taps(weights, depth, input), &mut |factors| {
                        to.next().into_iter().for_each(|to| to[i] = *factors);
                    });
                }
                let to = panels.chunks_exact_mut(depth * PANEL).skip(panel).step_by(count);
                for (to, run) in to.zip(&run) {
                    to[first * PANEL..inputs.end * PANEL].copy_from_slice(run[..inputs.len()].as_flattened());
                }
            }
        }
        let (inputs, outputs) =
            (depth.next_multiple_of(WIDEST_VECTOR), conv.outputs.next_multiple_of(WIDEST_VECTOR));
        let mut bias = conv.bias.clone();
        bias.resize(outputs, 0.0);
        Weights { depth, inputs, outputs, doubled, panels, bias }
    }
}

/// The taps of one input for a panel of outputs, `[tap, out]`, with zeros for outputs beyond the last. `weights` is
/// `[out, depth, tap]`.
fn taps<const TAPS: usize>(weights: &[f32], depth: usize, input: usize) -> [[f32; PANEL]; TAPS] {
    let mut taps = [[0.0; PANEL]; TAPS];
    for (o, weights) in weights.chunks_exact(depth * TAPS).enumerate() {
        let weights = &weights[input * TAPS..][..TAPS];
        taps.iter_mut().zip(weights).for_each(|(tap, weight)| tap[o] = *weight);
    }
    taps
}

/// Transforms 3×3 taps along both axes, for a panel of outputs.
fn transform<L: Lines>(g: &[[f32; PANEL]; 9], to: &mut dyn FnMut(&[f32; PANEL])) {
    let columns = [0, 1, 2].map(|x| L::expand([&g[x], &g[3 + x], &g[6 + x]]));
    let [left, middle, right] = &columns;
    for ((left, middle), right) in left.iter().zip(middle).zip(right).take(L::PRODUCTS.len()) {
        L::expand([left, middle, right]).iter().take(L::PRODUCTS.len()).for_each(&mut *to);
    }
}
