//! A convolution with all that stands before and after it.

use rayon::prelude::*;

use super::block::Block;
use super::{Isa, Map, Weights};

/// Patches of a block, about: enough blocks for the threads also in the small maps.
const PATCHES: usize = 28;

/// `start + bias + conv3x3(act(src)) + proj(x)`, then ReLU and 2×2 maxima if asked for.
pub struct ConvSum<'a> {
    pub(super) src: &'a Map,
    /// ReLU of an affine map on the source, before the zeros around it.
    pub(super) act: Option<(&'a [f32], &'a [f32])>,
    pub(super) weights: &'a Weights,
    pub(super) bias: &'a [f32],
    pub(super) accumulate: bool,
    pub(super) skip: Option<(&'a Map, &'a [f32])>,
    pub(super) proj: Option<(&'a Map, bool, &'a Weights)>,
    pub(super) relu: bool,
}

impl<'a> ConvSum<'a> {
    /// The convolution and its bias. The source is taken at twice its size if the weights were prepared for that.
    pub fn of(src: &'a Map, weights: &'a Weights) -> Self {
        ConvSum {
            src,
            act: None,
            weights,
            bias: &weights.bias,
            accumulate: false,
            skip: None,
            proj: None,
            relu: false,
        }
    }

    /// Convolves `relu(scale · src + shift)`.
    pub fn act(self, scale: &'a [f32], shift: &'a [f32]) -> Self {
        ConvSum { act: Some((scale, shift)), ..self }
    }

    /// Another bias.
    pub fn bias(self, bias: &'a [f32]) -> Self {
        ConvSum { bias, ..self }
    }

    /// Adds what the destination holds.
    pub fn accumulate(self) -> Self {
        ConvSum { accumulate: true, ..self }
    }

    /// Adds a map with a factor a channel.
    pub fn skip(self, map: &'a Map, scale: &'a [f32]) -> Self {
        ConvSum { skip: Some((map, scale)), ..self }
    }

    /// Adds a 1×1 convolution of another map, `up` at twice its size. Its bias is not added.
    pub fn proj(self, map: &'a Map, up: bool, proj: &'a Weights) -> Self {
        ConvSum { proj: Some((map, up, proj)), ..self }
    }

    /// Takes the ReLU of the sum.
    pub fn relu(self) -> Self {
        ConvSum { relu: true, ..self }
    }

    /// Computes the sum.
    pub fn write(self, isa: Isa, dst: &mut Map) {
        self.run(isa, dst, None);
    }

    /// Computes the sum and the maxima of its 2×2 pixels.
    pub fn write_pooled(self, isa: Isa, dst: &mut Map, pooled: &mut Map) {
        self.run(isa, dst, Some(pooled));
    }

    fn run(self, isa: Isa, dst: &mut Map, pooled: Option<&mut Map>) {
        self.check(dst);
        let (height, width, channels) = (dst.height, dst.width, dst.channels);
        let across = width.div_ceil(4);
        let rows = 4 * (PATCHES / across).max(1);
        let chunk = rows * width * channels;
        let block = |i: usize, out: &mut [f32], pooled: Option<&mut [f32]>| {
            Block { sum: &self, top: i * rows, width, across, out, pooled }.run(isa);
        };
        let length = dst.len();
        let blocks = dst.data[..length].par_chunks_mut(chunk).enumerate();
        match pooled {
            None => blocks.for_each(|(i, out)| block(i, out, None)),
            Some(pooled) => {
                assert_eq!((pooled.height * 2, pooled.width * 2, pooled.channels), (height, width, channels));
                let pools = pooled.data.par_chunks_mut(chunk / 4);
                blocks.zip(pools).for_each(|((i, out), pooled)| block(i, out, Some(pooled)));
            }
        }
    }

    /// What the unchecked loads of a block rely on.
    fn check(&self, dst: &Map) {
        let sized = |map: &Map, up: bool, channels: usize| {
            let factor = if up { 2 } else { 1 };
            let size = (map.height * factor, map.width * factor, map.channels);
            assert_eq!(size, (dst.height, dst.width, channels));
            assert!(map.data.len() >= map.len());
        };
        sized(dst, false, self.weights.outputs);
        sized(self.src, self.weights.doubled, self.weights.inputs);
        assert_eq!(self.bias.len(), dst.channels);
        if let Some((scale, shift)) = self.act {
            assert_eq!((scale.len(), shift.len()), (self.src.channels, self.src.channels));
        }
        if let Some((map, scale)) = self.skip {
            sized(map, false, dst.channels);
            assert_eq!(scale.len(), dst.channels);
        }
        if let Some((map, up, weights)) = self.proj {
            sized(map, up, weights.inputs);
            assert_eq!(weights.outputs, dst.channels);
        }
    }
}
