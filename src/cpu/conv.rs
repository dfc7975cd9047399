//! Feature maps and the convolutions on them, as matrix products.

use gemm::Parallelism;
use rayon::prelude::*;

use crate::model::network::{Affine, Conv};

/// Pixels that one product computes: its share of the output stays in the L2 cache over all taps. The split
/// never depends on the number of threads, so neither does the result.
const CHUNK: usize = 512;

/// A feature map `[height + 2, width + 2, channels]`: channels innermost, a margin of one pixel around.
///
/// Seen as a list of pixels, the neighbours of a pixel lie at fixed distances, so a tap of a 3×3 convolution
/// is one matrix product over all pixels at once. The margin columns get junk on the way; a map that is the
/// source of a 3×3 convolution has zeros in its margin.
#[derive(Clone, Debug)]
pub(super) struct Map {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub data: Vec<f32>,
}

impl Map {
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Map { height, width, channels, data: vec![0.0; (height + 2) * (width + 2) * channels] }
    }

    /// Floats in a row, margin included.
    pub fn stride(&self) -> usize {
        (self.width + 2) * self.channels
    }

    /// Row `y` of the picture, without its margin.
    pub fn row(&self, y: usize) -> &[f32] {
        let start = (y + 1) * self.stride() + self.channels;
        &self.data[start..start + self.width * self.channels]
    }

    /// The rows of the picture, each with its margin, to write in parallel.
    pub fn rows_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        let (stride, height) = (self.stride(), self.height);
        self.data[stride..stride * (height + 1)].par_chunks_exact_mut(stride)
    }

    /// The first pixel of the picture and one past its last, in the list of pixels.
    fn span(&self) -> (usize, usize) {
        let width = self.width + 2;
        (width + 1, self.height * width + self.width + 1)
    }
}

/// `dst = relu(affine(src))`, margin zero.
pub(super) fn activate(src: &Map, scale: &[f32], shift: &[f32], dst: &mut Map) {
    let channels = src.channels;
    dst.rows_mut().enumerate().for_each(|(y, row)| {
        let inner = channels..row.len() - channels;
        let pixels = row[inner].chunks_exact_mut(channels).zip(src.row(y).chunks_exact(channels));
        for (to, from) in pixels {
            for (((to, from), s), t) in to.iter_mut().zip(from).zip(scale).zip(shift) {
                *to = (from * s + t).max(0.0);
            }
        }
    });
}

/// As [`activate`], with a batch norm.
pub(super) fn activate_norm(src: &Map, norm: &Affine, dst: &mut Map) {
    activate(src, &norm.scale, &norm.shift, dst);
}

/// What a sum of convolutions starts from, beside its bias.
pub(super) enum Start<'a> {
    /// Nothing.
    Zero,
    /// The destination as it is: a residual sum.
    Destination,
    /// A map with a factor a channel: the summed skip.
    Scaled(&'a Map, &'a [f32]),
}

/// `start + bias + conv3x3(src) + proj(x)`, then ReLU and a zero margin if asked for.
pub(super) struct ConvSum<'a> {
    src: &'a Map,
    conv: &'a Conv,
    bias: &'a [f32],
    start: Start<'a>,
    proj: Option<(&'a Map, &'a Conv)>,
    relu: bool,
}

impl<'a> ConvSum<'a> {
    /// The convolution and its bias.
    pub fn of(src: &'a Map, conv: &'a Conv) -> Self {
        ConvSum { src, conv, bias: &conv.bias, start: Start::Zero, proj: None, relu: false }
    }

    /// Another bias, `[out]`.
    pub fn bias(self, bias: &'a [f32]) -> Self {
        ConvSum { bias, ..self }
    }

    pub fn start(self, start: Start<'a>) -> Self {
        ConvSum { start, ..self }
    }

    /// Adds a 1×1 convolution of another map of the same size. Its bias is not added.
    pub fn proj(self, map: &'a Map, proj: &'a Conv) -> Self {
        ConvSum { proj: Some((map, proj)), ..self }
    }

    pub fn relu(self) -> Self {
        ConvSum { relu: true, ..self }
    }

    /// Runs the convolution. `dst` has the size of the source and the channels of the kernel.
    pub fn write(self, dst: &mut Map) {
        let (first, last) = dst.span();
        let channels = dst.channels;
        let width = dst.width + 2;
        let span = &mut dst.data[first * channels..last * channels];
        span.par_chunks_mut(CHUNK * channels).enumerate().for_each(|(i, out)| {
            let pixel = first + i * CHUNK;
            self.begin(pixel, out);
            for (ky, taps) in self.conv.weight.chunks_exact(3 * self.conv.inputs * channels).enumerate() {
                // Three neighbours of a row are adjacent in memory: one product serves three taps.
                product(self.src, pixel + ky * width - width - 1, 3, taps, out, channels);
            }
            if let Some((map, proj)) = self.proj {
                product(map, pixel, 1, &proj.weight, out, channels);
            }
            if self.relu {
                rectify(pixel, width, channels, out);
            }
        });
    }

    fn begin(&self, pixel: usize, out: &mut [f32]) {
        let channels = self.bias.len();
        let pixels = out.chunks_exact_mut(channels);
        match self.start {
            Start::Zero => pixels.for_each(|p| p.copy_from_slice(self.bias)),
            Start::Destination => pixels.for_each(|p| p.iter_mut().zip(self.bias).for_each(|(v, b)| *v += b)),
            Start::Scaled(map, scale) => {
                for (to, from) in pixels.zip(map.data[pixel * channels..].chunks_exact(channels)) {
                    for (((to, from), s), b) in to.iter_mut().zip(from).zip(scale).zip(self.bias) {
                        *to = from * s + b;
                    }
                }
            }
        }
    }
}

/// `out += A · taps`, where row `p` of `A` is the `reach` adjacent pixels of `src` from `pixel + p` on.
fn product(src: &Map, pixel: usize, reach: usize, taps: &[f32], out: &mut [f32], channels: usize) {
    let (rows, depth) = (out.len() / channels, reach * src.channels);
    let source = &src.data[pixel * src.channels..(pixel + rows - 1 + reach) * src.channels];
    assert_eq!(taps.len(), depth * channels);
    // SAFETY: `source` holds `rows` overlapping rows of `depth` floats at a distance of one pixel, `taps` is
    // `depth` × `channels` and `out` is `rows` × `channels`; `out` is borrowed mutably, so it overlaps none.
    unsafe {
        gemm::gemm(
            rows,
            channels,
            depth,
            out.as_mut_ptr(),
            1,
            channels as isize,
            true,
            source.as_ptr(),
            1,
            src.channels as isize,
            taps.as_ptr(),
            1,
            channels as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// ReLU, and zero in the margin columns.
fn rectify(pixel: usize, width: usize, channels: usize, out: &mut [f32]) {
    for (p, values) in (pixel..).zip(out.chunks_exact_mut(channels)) {
        if matches!(p % width, 0) || p % width == width - 1 {
            values.fill(0.0);
        } else {
            values.iter_mut().for_each(|v| *v = v.max(0.0));
        }
    }
}
