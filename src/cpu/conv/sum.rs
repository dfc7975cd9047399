//! A convolution with the operations before and after it.

use rayon::prelude::*;

use super::band::Band;
use super::{Isa, Map, Weights, Window};

/// Patches of a band, about. It is small so that the deep, small maps too have a band for every thread.
const PATCHES: usize = 28;

/// `bias + conv3x3(src)`, to which each method below adds an operation. ReLU and 2×2 maxima come last.
pub struct ConvSum<'a> {
    pub(super) src: &'a Map,
    /// Scale and shift of the affine map before a ReLU. The zeros around the source are added after it.
    pub(super) act: Option<(&'a [f32], &'a [f32])>,
    pub(super) weights: &'a Weights,
    pub(super) bias: &'a [f32],
    pub(super) accumulate: bool,
    pub(super) skip: Option<(&'a Map, &'a [f32])>,
    pub(super) proj: Option<(&'a Map, bool, &'a Weights)>,
    pub(super) relu: bool,
    /// What is needed of the destination.
    pub(super) window: Option<&'a Window>,
    /// Asked before each band; once it is false, the rest of the destination is not computed.
    pub(super) go_on: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> ConvSum<'a> {
    /// The convolution and its bias. The source is taken at twice its size if the weights are [`Weights::doubled`].
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
            window: None,
            go_on: &|| true,
        }
    }

    /// Convolves `relu(scale · src + shift)`.
    pub fn act(self, scale: &'a [f32], shift: &'a [f32]) -> Self {
        ConvSum { act: Some((scale, shift)), ..self }
    }

    /// Takes this bias instead of the convolution's, one number a channel.
    pub fn bias(self, bias: &'a [f32]) -> Self {
        ConvSum { bias, ..self }
    }

    /// Adds the values that are in the destination.
    pub fn accumulate(self) -> Self {
        ConvSum { accumulate: true, ..self }
    }

    /// Adds `scale · map`, one factor a channel.
    pub fn skip(self, map: &'a Map, scale: &'a [f32]) -> Self {
        ConvSum { skip: Some((map, scale)), ..self }
    }

    /// Adds a 1×1 convolution of another map, which is taken at twice its size if `up`. Its bias is not added.
    pub fn proj(self, map: &'a Map, up: bool, proj: &'a Weights) -> Self {
        ConvSum { proj: Some((map, up, proj)), ..self }
    }

    /// Takes the ReLU of the sum.
    pub fn relu(self) -> Self {
        ConvSum { relu: true, ..self }
    }

    /// Leaves out what is not needed of the destination: it keeps values that mean nothing.
    pub fn only(self, window: &'a Window) -> Self {
        ConvSum { window: Some(window), ..self }
    }

    /// Stops early, with a part of the destination computed, when `go_on` is false.
    pub fn only_while(self, go_on: &'a (dyn Fn() -> bool + Sync)) -> Self {
        ConvSum { go_on, ..self }
    }

    /// Computes the sum and writes it to `dst`.
    pub fn write(self, isa: Isa, dst: &mut Map) {
        self.run(isa, dst, None);
    }

    /// Computes the sum, and in `pooled` the maximum of each 2×2 pixels.
    pub fn write_pooled(self, isa: Isa, dst: &mut Map, pooled: &mut Map) {
        self.run(isa, dst, Some(pooled));
    }

    fn run(self, isa: Isa, dst: &mut Map, pooled: Option<&mut Map>) {
        self.check(dst);
        let (height, width, channels) = (dst.height, dst.width, dst.channels);
        let window = self.window.cloned().unwrap_or(Window::whole((height, width)));
        let patches = window.patches();
        let rows = 4 * (PATCHES / patches.len().max(1)).max(1);
        let chunk = rows * width * channels;
        let band = |i: usize, out: &mut [f32], pooled: Option<&mut [f32]>| {
            let needed = i * rows < window.rows.end && window.rows.start < (i + 1) * rows;
            if needed && (self.go_on)() {
                let (left, across) = (patches.start, patches.len());
                Band { sum: &self, top: i * rows, width, left, across, out, pooled }.run(isa);
            }
        };
        let length = dst.len();
        let bands = dst.data[..length].par_chunks_mut(chunk).enumerate();
        match pooled {
            None => bands.for_each(|(i, out)| band(i, out, None)),
            Some(pooled) => {
                assert_eq!((pooled.height * 2, pooled.width * 2, pooled.channels), (height, width, channels));
                let pools = pooled.data.par_chunks_mut(chunk / 4);
                bands.zip(pools).for_each(|((i, out), pooled)| band(i, out, Some(pooled)));
            }
        }
    }

    /// Panics unless the shapes are those that the unchecked loads of a band rely on.
    fn check(&self, dst: &Map) {
        let check_shape = |map: &Map, up: bool, channels: usize| {
            let factor = if up { 2 } else { 1 };
            let size = (map.height * factor, map.width * factor, map.channels);
            assert_eq!(size, (dst.height, dst.width, channels));
            assert!(map.data.len() >= map.len());
        };
        check_shape(dst, false, self.weights.outputs);
        check_shape(self.src, self.weights.doubled, self.weights.inputs);
        assert_eq!(self.bias.len(), dst.channels);
        if let Some((scale, shift)) = self.act {
            assert_eq!((scale.len(), shift.len()), (self.src.channels, self.src.channels));
        }
        if let Some((map, scale)) = self.skip {
            check_shape(map, false, dst.channels);
            assert_eq!(scale.len(), dst.channels);
        }
        if let Some((map, up, weights)) = self.proj {
            check_shape(map, up, weights.inputs);
            assert_eq!(weights.outputs, dst.channels);
        }
    }
}
