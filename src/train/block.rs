//! The residual blocks of the way down and of the way up; [`DownParams`] and [`UpParams`] have their formulas.

use super::layer;
use super::maps::Maps;
use super::norm::Stats;
use super::number::Number;
use super::style::{self, Styles};
use crate::model::params::{DownParams, Styled, UpParams};

/// What the backward pass of a block needs: the inputs of its layers, and their statistics.
#[derive(Debug, Default)]
pub(super) struct Kept<T> {
    /// The inputs of `proj` and `conv0`, of `conv1`, `conv2` and `conv3`.
    inputs: [Maps<T>; 4],
    /// The statistics of `proj` and of `conv0` to `conv3`.
    stats: [Stats; 5],
}

/// The output of a block on the way down.
pub(super) fn res_down<T: Number>(block: &mut DownParams<T>, x: Maps<T>) -> (Maps<T>, Kept<T>) {
    let DownParams { proj, conv: [conv0, conv1, conv2, conv3] } = block;
    let (mut y, stats_proj) = layer::forward(proj, &x, false);
    let (first, stats0) = layer::forward(conv0, &x, true);
    let (second, stats1) = layer::forward(conv1, &first, true);
    y.add(&second);
    let (third, stats2) = layer::forward(conv2, &y, true);
    let (mut out, stats3) = layer::forward(conv3, &third, true);
    out.add(&y);
    (out, Kept { inputs: [x, first, y, third], stats: [stats_proj, stats0, stats1, stats2, stats3] })
}

/// The gradient of the block's input from that of its output.
pub(super) fn res_down_backward<T: Number>(
    block: &DownParams<T>,
    kept: &Kept<T>,
    dy: Maps<T>,
    grad: &mut DownParams<T>,
) -> Maps<T> {
    let DownParams { proj, conv: [conv0, conv1, conv2, conv3] } = block;
    let Kept { inputs: [x, first, middle, third], stats: [stats_proj, stats0, stats1, stats2, stats3] } =
        kept;
    let [grad0, grad1, grad2, grad3] = &mut grad.conv;
    let mut dmiddle = dy;
    let dthird = layer::backward((conv3, stats3, true), third, &dmiddle, grad3);
    dmiddle.add(&layer::backward((conv2, stats2, true), middle, &dthird, grad2));
    let dfirst = layer::backward((conv1, stats1, true), first, &dmiddle, grad1);
    let mut dx = layer::backward((proj, stats_proj, false), x, &dmiddle, &mut grad.proj);
    dx.add(&layer::backward((conv0, stats0, true), x, &dfirst, grad0));
    dx
}

/// The output of a block on the way up.
pub(super) fn res_up<T: Number>(
    block: &mut UpParams<T>,
    x: Maps<T>,
    skip: &Maps<T>,
    styles: &Styles<T>,
) -> (Maps<T>, Kept<T>) {
    let UpParams { proj, conv0, styled: [styled1, styled2, styled3] } = block;
    let (mut y, stats_proj) = layer::forward(proj, &x, false);
    let (mut first, stats0) = layer::forward(conv0, &x, true);
    first.add(skip);
    let (second, stats1) = styled_forward(styled1, &mut first, styles);
    y.add(&second);
    let mut middle = y.clone();
    let (mut third, stats2) = styled_forward(styled2, &mut middle, styles);
    let (out, stats3) = styled_forward(styled3, &mut third, styles);
    y.add(&out);
    (y, Kept { inputs: [x, first, middle, third], stats: [stats_proj, stats0, stats1, stats2, stats3] })
}

/// Adds the style's shift to the input, then runs the layer.
fn styled_forward<T: Number>(
    styled: &mut Styled<T>,
    x: &mut Maps<T>,
    styles: &Styles<T>,
) -> (Maps<T>, Stats) {
    style::shift(&styled.full, styles, x);
    layer::forward(&mut styled.layer, x, true)
}

/// The gradients of the block's input and of its skip from that of its output. Adds to that of the styles.
pub(super) fn res_up_backward<T: Number>(
    block: &UpParams<T>,
    (kept, styles): (&Kept<T>, &Styles<T>),
    dy: Maps<T>,
    grad: &mut UpParams<T>,
    dstyles: &mut [Vec<T>],
) -> (Maps<T>, Maps<T>) {
    let Kept { inputs: [x, first, middle, third], stats: [stats_proj, stats0, stats1, stats2, stats3] } =
        kept;
    let UpParams { proj, conv0, styled: [styled1, styled2, styled3] } = block;
    let [grad1, grad2, grad3] = &mut grad.styled;
    let mut styled = |styled: &Styled<T>, stats: &Stats, x: &Maps<T>, dy: &Maps<T>, grad: &mut Styled<T>| {
        let dx = layer::backward((&styled.layer, stats, true), x, dy, &mut grad.layer);
        style::shift_backward(&styled.full, styles, &dx, &mut grad.full, dstyles);
        dx
    };
    let mut dmiddle = dy;
    let dthird = styled(styled3, stats3, third, &dmiddle, grad3);
    dmiddle.add(&styled(styled2, stats2, middle, &dthird, grad2));
    let dfirst = styled(styled1, stats1, first, &dmiddle, grad1);
    let mut dx = layer::backward((proj, stats_proj, false), x, &dmiddle, &mut grad.proj);
    dx.add(&layer::backward((conv0, stats0, true), x, &dfirst, &mut grad.conv0));
    (dx, dfirst)
}
