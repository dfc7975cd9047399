//! The loss of the original: `MSE(flow, 5 · true flow) / 2 + BCE(cellprob, is a cell)`, both means over all values.

use rayon::prelude::*;

use super::maps::{Maps, PIECE};
use super::number::Number;

/// The loss, and its gradient in the output `y`. `labels` are `[image, 3, height, width]`: whether the pixel is of a cell
/// (more than 0.5), flow along y, flow along x.
pub(super) fn loss<T: Number>(y: &Maps<T>, labels: &[f32]) -> (f64, Maps<T>) {
    let pixels = y.height * y.width;
    let (count, mut dy) = (y.pixels() as f64, y.like(y.channels));
    let pieces = y.data.par_chunks(3 * PIECE).zip(dy.data.par_chunks_mut(3 * PIECE)).enumerate();
    let losses = pieces.map(|(piece, (y, dy))| {
        let (mut squares, mut entropy) = (0.0f64, 0.0f64);
        for (i, (y, dy)) in (piece * PIECE..).zip(y.chunks_exact(3).zip(dy.chunks_exact_mut(3))) {
            let label = |n: usize| f64::from(labels[(i / pixels * 3 + n) * pixels + i % pixels]);
            for axis in 0..2 {
                let error = y[axis].into() - 5.0 * label(axis + 1);
                squares += error * error;
                dy[axis] = T::round(error / (2.0 * count));
            }
            let (logit, cell): (f64, f64) = (y[2].into(), u8::from(label(0) > 0.5).into());
            // max(x, 0) − x·t + log(1 + e^−|x|) does not overflow.
            entropy += logit.max(0.0) - logit * cell + (-logit.abs()).exp().ln_1p();
            dy[2] = T::round((1.0 / (1.0 + (-logit).exp()) - cell) / count);
        }
        squares / (2.0 * count) / 2.0 + entropy / count
    });
    let losses: Vec<f64> = losses.collect();
    (losses.into_iter().sum(), dy)
}
