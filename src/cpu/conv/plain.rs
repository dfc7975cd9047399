//! Convolutions as plain sums of products, for training: ReLUs and maxima of the forward pass decide where gradients
//! go, and the rounding errors of the transforms, which are about ten times as large, would decide otherwise ten times
//! as often.

use rayon::prelude::*;

use super::isa::Job;
use super::product::multiply;
use super::simd::Vector;
use super::{Isa, PANEL};

/// The weights of a convolution with 9 taps (3×3) or one tap, in panels.
pub struct PlainWeights {
    inputs: usize,
    outputs: usize,
    side: usize,
    /// `[row of taps, panel, column of taps, in, PANEL]`.
    panels: Vec<f32>,
}

impl PlainWeights {
    /// Lays out weights `[out, in, tap]`.
    pub fn new(weight: &[f32], inputs: usize, outputs: usize) -> Self {
        let side = if weight.len() == inputs * outputs { 1 } else { 3 };
        let (taps, count) = (side * side, outputs.div_ceil(PANEL));
        let mut panels = vec![0.0; taps * count * inputs * PANEL];
        for (i, value) in weight.iter().enumerate() {
            let (output, input, tap) = (i / taps / inputs, i / taps % inputs, i % taps);
            let row = tap / side * count + output / PANEL;
            panels[((row * side + tap % side) * inputs + input) * PANEL + output % PANEL] = *value;
        }
        PlainWeights { inputs, outputs, side, panels }
    }
}

/// Writes the convolution of `src`, `[image, height, width, in]`, and `bias` to `dst`, `[image, height, width, out]`, with
/// zeros around each image.
///
/// # Panics
/// When the lengths do not fit.
pub fn convolve(
    isa: Isa,
    weights: &PlainWeights,
    bias: &[f32],
    src: &[f32],
    (height, width): (usize, usize),
    dst: &mut [f32],
) {
    let PlainWeights { inputs, outputs, side, ref panels } = *weights;
    assert_eq!((src.len() / inputs, bias.len()), (dst.len() / outputs, outputs));
    let (margin, stride) = (side / 2, outputs.next_multiple_of(PANEL));
    let scratch = || (vec![0.0; (width + 2 * margin) * inputs], vec![0.0; width * stride]);
    let rows = dst.par_chunks_exact_mut(width * outputs).enumerate();
    rows.for_each_init(scratch, |(line, sums), (row, dst)| {
        for sums in sums.chunks_exact_mut(stride) {
            sums[..outputs].copy_from_slice(bias);
        }
        for (tap, panels) in panels.chunks_exact(panels.len() / side).enumerate() {
            let y = (row % height + tap).wrapping_sub(margin);
            if y >= height {
                continue;
            }
            let from = (row - row % height + y) * width * inputs;
            line[margin * inputs..][..width * inputs].copy_from_slice(&src[from..][..width * inputs]);
            // Side by side, the pixels under a row of taps are one long row of the product's left side.
            let a = (&line[..], inputs);
            isa.run(Product { a, depth: side * inputs, panels, c: sums, stride, rows: width });
        }
        for (to, from) in dst.chunks_exact_mut(outputs).zip(sums.chunks_exact(stride)) {
            to.copy_from_slice(&from[..outputs]);
        }
    });
}

/// A call of [`multiply`] that adds.
struct Product<'a> {
    a: (&'a [f32], usize),
    depth: usize,
    panels: &'a [f32],
    c: &'a mut [f32],
    stride: usize,
    rows: usize,
}

impl Job for Product<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        unsafe { multiply::<V, true>(self.a, self.depth, self.panels, self.c, self.stride, self.rows) }
    }
}
