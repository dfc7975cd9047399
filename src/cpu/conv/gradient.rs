//! The gradient of a convolution's weights, in the domain of the transforms.
//!
//! The gradient of `y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A` in the taps `g` is `Gᵀ [(Bᵀ d B) ⊙ (A dy Aᵀ)] G`, summed over all
//! patches: 36 products of a patch for the 144 of the plain sum. Each value of the patches has a product of its own,
//! which always sums in the same order.

use rayon::prelude::*;

use super::isa::Job;
use super::outer::add_outer;
use super::simd::Vector;
use super::spread::{Source, Spread, VALUES};
use super::{Floats, Isa, PANEL};

/// Patches of 4×4 pixels, or pixels of a 1×1 convolution, whose products are summed in single precision; these sums are
/// added in double precision.
const PIECE: usize = 128;
/// Pieces whose transformed patches are kept at a time: 19 MB for each 32 channels.
const PIECES: usize = 32;
/// Pixels of a 1×1 convolution that a thread takes at a time.
const PIXELS: usize = 16384;

/// Feature maps of a batch, `[image, height, width, channel]`, channels innermost.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels, a multiple of [`WIDEST_VECTOR`](super::WIDEST_VECTOR).
    pub channels: usize,
}

/// The gradients of the weights of a convolution with 9 taps (3×3) or one tap, `[tap, in, out]`, from its inputs `x` and
/// the gradient of its outputs `dy`.
///
/// # Panics
/// When the batches differ in size, or their channels are not a multiple of [`WIDEST_VECTOR`](super::WIDEST_VECTOR).
pub fn weight_gradient(isa: Isa, x: Batch, dy: Batch, taps: usize) -> Vec<f64> {
    let pixels = x.data.len() / x.channels.max(1);
    assert_eq!((x.height, x.width, pixels), (dy.height, dy.width, dy.data.len() / dy.channels.max(1)));
    assert_eq!((x.channels % super::WIDEST_VECTOR, dy.channels % super::WIDEST_VECTOR), (0, 0));
    if taps == 1 { one_tap(isa, x, dy) } else { nine_taps(isa, x, dy) }
}

fn one_tap(isa: Isa, x: Batch, dy: Batch) -> Vec<f64> {
    let panels = dy.channels.div_ceil(PANEL);
    let pieces = x.data.par_chunks(PIXELS * x.channels).zip(dy.data.par_chunks(PIXELS * dy.channels));
    let sums = pieces.map(|(x_piece, dy_piece)| {
        let mut sums = vec![0.0; panels * x.channels * PANEL];
        for (panel, sums) in sums.chunks_exact_mut(x.channels * PANEL).enumerate() {
            let parts = x_piece.chunks(PIECE * x.channels).zip(dy_piece.chunks(PIECE * dy.channels));
            add_parts(isa, parts, (x.channels, dy.channels, panel * PANEL), sums);
        }
        sums
    });
    let sums: Vec<Vec<f64>> = sums.collect();
    let of = |i: usize| sums.iter().map(|sums| sums[at((x.channels, dy.channels), i)]).sum();
    (0..x.channels * dy.channels).map(of).collect()
}

/// Adds the products of the parts to `sums`, `[in, PANEL]`. Within a part, sums are in single precision.
fn add_parts<'a>(
    isa: Isa,
    parts: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    (inputs, outputs, column): (usize, usize, usize),
    sums: &mut [f64],
) {
    let mut products = vec![0.0; sums.len()];
    for (a, b) in parts {
        products.fill(0.0);
        let count = a.len() / inputs;
        isa.run(Outer { a: (a, inputs), b: (b, outputs, column), count, c: &mut products });
        sums.iter_mut().zip(&products).for_each(|(sum, product)| *sum += f64::from(*product));
    }
}

/// Where the sum of number `i` of `[in, out]` lies in `[panel, in, PANEL]`.
fn at((inputs, outputs): (usize, usize), i: usize) -> usize {
    let (input, output) = (i / outputs, i % outputs);
    (output / PANEL * inputs + input) * PANEL + output % PANEL
}

fn nine_taps(isa: Isa, x: Batch, dy: Batch) -> Vec<f64> {
    let (inputs, outputs) = (x.channels, dy.channels);
    let patches =
        x.data.len() / (x.height * x.width * inputs).max(1) * x.height.div_ceil(4) * x.width.div_ceil(4);
    let pieces = patches.div_ceil(PIECE).min(PIECES);
    let mut values_x = Floats::zeros(pieces * VALUES * PIECE * inputs);
    let mut values_dy = Floats::zeros(pieces * VALUES * PIECE * outputs);
    let panels = outputs.div_ceil(PANEL);
    let mut sums = vec![0.0; VALUES * panels * inputs * PANEL];
    for first in (0..patches).step_by(PIECE * PIECES) {
        let end = patches.min(first + PIECE * PIECES);
        let spread = |batch: Batch, source: Source, to: &mut [f32]| {
            to.par_chunks_mut(VALUES * PIECE * batch.channels).enumerate().for_each(|(i, to)| {
                let patches = first + i * PIECE..end.min(first + (i + 1) * PIECE);
                isa.run(Spread { batch, source, patches, piece: PIECE, to });
            });
        };
        spread(x, Source::Input, &mut values_x);
        spread(dy, Source::Gradient, &mut values_dy);
        sums.par_chunks_mut(inputs * PANEL).enumerate().for_each(|(i, sums)| {
            let (value, column) = (i / panels, i % panels * PANEL);
            let parts = (first..end).step_by(PIECE).enumerate().map(|(piece, start)| {
                let (place, count) = ((piece * VALUES + value) * PIECE, PIECE.min(end - start));
                (
                    &values_x[place * inputs..][..count * inputs],
                    &values_dy[place * outputs..][..count * outputs],
                )
            });
            add_parts(isa, parts, (inputs, outputs, column), sums);
        });
    }
    taps(&sums, (inputs, outputs))
}

/// `Gᵀ u G` of the sums `u`, as `[tap, in, out]`.
fn taps(sums: &[f64], size: (usize, usize)) -> Vec<f64> {
    let mut out = vec![0.0; 9 * size.0 * size.1];
    let length = sums.len() / VALUES;
    for i in 0..size.0 * size.1 {
        let u = |value: usize| sums[value * length + at(size, i)];
        let lines: [[f64; 3]; 6] = std::array::from_fn(|y| collect(std::array::from_fn(|x| u(y * 6 + x))));
        for column in 0..3 {
            let taps = collect(std::array::from_fn(|y| lines[y][column]));
            for (row, tap) in taps.into_iter().enumerate() {
                out[(row * 3 + column) * size.0 * size.1 + i] = tap;
            }
        }
    }
    out
}

/// `Gᵀ u` of a line.
fn collect(u: [f64; 6]) -> [f64; 3] {
    let (near, far) = (u[1] + u[2], u[3] + u[4]);
    [
        u[0] / 4.0 - near / 6.0 + far / 24.0,
        (u[2] - u[1]) / 6.0 + (u[3] - u[4]) / 12.0,
        (far - near) / 6.0 + u[5],
    ]
}

/// A call of [`add_outer`].
struct Outer<'a> {
    a: (&'a [f32], usize),
    b: (&'a [f32], usize, usize),
    count: usize,
    c: &'a mut [f32],
}

impl Job for Outer<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        unsafe { add_outer::<V>(self.a, self.b, self.count, self.c) }
    }
}
