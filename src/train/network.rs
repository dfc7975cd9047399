//! The U-Net on a batch, forward in training mode and backward.

use super::block::{self, Kept};
use super::layer;
use super::maps::Maps;
use super::norm::Stats;
use super::number::Number;
use super::resample;
use super::style::{self, Styles};
use crate::model::params::Params;

/// What the backward pass needs.
pub(super) struct Pass<T> {
    down: Vec<Kept<T>>,
    /// The outputs of the blocks on the way down.
    skips: Vec<Maps<T>>,
    styles: Styles<T>,
    /// Deepest first.
    up: Vec<Kept<T>>,
    last: Maps<T>,
    last_stats: Stats,
}

/// The network's output for a batch. The running statistics move.
pub(super) fn forward<T: Number>(params: &mut Params<T>, x: Maps<T>) -> (Maps<T>, Pass<T>) {
    let (mut down, mut skips, mut up): (Vec<_>, Vec<Maps<T>>, Vec<_>) = Default::default();
    let mut x = x;
    for block in &mut params.down {
        let input = skips.last().map_or_else(|| std::mem::take(&mut x), resample::pool);
        let (out, kept) = block::res_down(block, input);
        skips.push(out);
        down.push(kept);
    }
    let mut x = skips.last().cloned().unwrap_or_default();
    let styles = style::forward(&x);
    for (n, (block, skip)) in params.up.iter_mut().zip(&skips).rev().enumerate() {
        let input = if n == 0 { x } else { resample::double(&x) };
        let (out, kept) = block::res_up(block, input, skip, &styles);
        up.push(kept);
        x = out;
    }
    let (y, last_stats) = layer::forward(&mut params.output, &x, true);
    (y, Pass { down, skips, styles, up, last: x, last_stats })
}

/// Adds the gradients of all parameters to `grad`, from that of the output.
pub(super) fn backward<T: Number>(params: &Params<T>, pass: &Pass<T>, dy: &Maps<T>, grad: &mut Params<T>) {
    let output = (&params.output, &pass.last_stats, true);
    let mut dx = layer::backward(output, &pass.last, dy, &mut grad.output);
    let mut dstyles: Vec<Vec<T>> =
        pass.styles.units.iter().map(|unit| vec![T::default(); unit.len()]).collect();
    let levels = params.up.len();
    let mut dskips = Vec::new();
    for (n, (block, grad)) in params.up.iter().zip(&mut grad.up).enumerate() {
        let kept = (&pass.up[levels - 1 - n], &pass.styles);
        let (dinput, dskip) = block::res_up_backward(block, kept, dx, grad, &mut dstyles);
        dx = if n + 1 == levels { dinput } else { resample::double_backward(&dinput) };
        dskips.push(dskip);
    }
    // The deepest skip is also the input of its block and makes the styles.
    style::backward(&pass.styles, &dstyles, &mut dx);
    for (n, (block, grad)) in params.down.iter().zip(&mut grad.down).enumerate().rev() {
        dx.add(&dskips[n]);
        dx = block::res_down_backward(block, &pass.down[n], dx, grad);
        if n > 0 {
            dx = resample::pool_backward(&pass.skips[n - 1], &dx);
        }
    }
}
