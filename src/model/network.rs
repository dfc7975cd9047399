//! The weights in the form in which the network runs: batch norms are folded into the layers before or after them.

use super::params::{BatchNorm, DownParams, Layer, Params, Styled, UpParams};
pub use super::params::{Conv, Linear};

/// `eps` of `torch.nn.BatchNorm2d`.
const BATCH_NORM_EPS: f32 = 1e-5;

/// The U-Net, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Channels of the image, then of each level from the finest to the deepest.
    pub nbase: Vec<usize>,
    /// Outputs for each pixel. A network that segments has 3: flow along y, flow along x and cell probability.
    pub nout: usize,
    /// The residual blocks of the way down, one for each level, finest first.
    pub down: Vec<ResDown>,
    /// The residual blocks of the way up, one for each level, finest first.
    pub up: Vec<ResUp>,
    /// The batch norm before the last convolution.
    pub before_output: Affine,
    /// The last convolution, 1×1.
    pub output: Conv,
}

/// `y = scale · x + shift` for each channel: a batch norm outside of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// The factors, `[channel]`.
    pub scale: Vec<f32>,
    /// The summands, `[channel]`.
    pub shift: Vec<f32>,
}

/// A residual block of the way down, where `a0` and `a2` are `before0` and `before2` followed by a ReLU:
/// `x ← proj(x) + conv1(relu(conv0(a0(x))))`, then `x ← x + conv3(relu(conv2(a2(x))))`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResDown {
    /// The batch norm before `conv0`.
    pub before0: Affine,
    /// 3×3, with the batch norm of `conv1` folded in.
    pub conv0: Conv,
    /// 3×3. Its bias includes that of the projection.
    pub conv1: Conv,
    /// The 1×1 projection, with the batch norm before it folded in.
    pub proj: Conv,
    /// The batch norm before `conv2`.
    pub before2: Affine,
    /// 3×3, with the batch norm of `conv3` folded in.
    pub conv2: Conv,
    /// 3×3, with nothing folded in.
    pub conv3: Conv,
}

/// A residual block of the way up. It differs from [`ResDown`] in two ways: the skip is added before the batch norm of
/// `conv1`, and a linear map of the style is added before the batch norms of `conv1`, `conv2` and `conv3`. After
/// folding, this map gives each of these batch norms its shift.
#[derive(Clone, Debug, PartialEq)]
pub struct ResUp {
    /// The batch norm before `conv0`.
    pub before0: Affine,
    /// 3×3, with the batch norm of `conv1` folded in. Its bias is not used: `shift1` includes it.
    pub conv0: Conv,
    /// The scale of the skip, from the batch norm of `conv1`, `[channel]`.
    pub skip_scale: Vec<f32>,
    /// The shift before `conv1`, a linear map of the style.
    pub shift1: Linear,
    /// 3×3. Its bias includes that of the projection.
    pub conv1: Conv,
    /// The 1×1 projection, with the batch norm before it folded in.
    pub proj: Conv,
    /// The scale of the batch norm before `conv2`, `[channel]`; its shift is `shift2`.
    pub scale2: Vec<f32>,
    /// The shift before `conv2`, a linear map of the style.
    pub shift2: Linear,
    /// 3×3, with the batch norm of `conv3` folded in. Its bias is not used: `shift3` includes it.
    pub conv2: Conv,
    /// The shift before `conv3`, a linear map of the style.
    pub shift3: Linear,
    /// 3×3, with nothing folded in.
    pub conv3: Conv,
}

impl Network {
    /// Folds the batch norms of a model's parameters. Weights are moved, not copied.
    pub(super) fn fold(params: Params) -> Self {
        let Params { nbase, nout, down, up, output, .. } = params;
        Network {
            nbase,
            nout,
            down: down.into_iter().map(ResDown::fold).collect(),
            up: up.into_iter().map(ResUp::fold).collect(),
            before_output: Affine::of(&output.norm),
            output: output.conv,
        }
    }

    /// The number of levels.
    pub fn levels(&self) -> usize {
        self.nbase.len() - 1
    }
}

impl ResDown {
    fn fold(DownParams { proj, conv }: DownParams) -> Self {
        let [norm0, norm1, norm2, norm3] = [0, 1, 2, 3].map(|t| Affine::of(&conv[t].norm));
        let [conv0, conv1, conv2, conv3] = conv.map(|layer| layer.conv);
        let proj = fold_proj(proj);
        ResDown {
            before0: norm0,
            conv0: conv0.then(&norm1),
            conv1: conv1.plus_bias(&proj.bias),
            proj,
            before2: norm2,
            conv2: conv2.then(&norm3),
            conv3,
        }
    }
}

impl ResUp {
    fn fold(UpParams { proj, conv0, styled }: UpParams) -> Self {
        let before0 = Affine::of(&conv0.norm);
        let [norm1, norm2, norm3] = [0, 1, 2].map(|t| Affine::of(&styled[t].layer.norm));
        let [(full1, conv1), (full2, conv2), (full3, conv3)] =
            styled.map(|Styled { full, layer }| (full, layer.conv));
        let (conv0, proj) = (conv0.conv, fold_proj(proj));
        ResUp {
            before0,
            shift1: full1.plus_bias(&conv0.bias).then(&norm1),
            conv0: conv0.then(&norm1),
            conv1: conv1.plus_bias(&proj.bias),
            proj,
            shift2: full2.then(&norm2),
            shift3: full3.plus_bias(&conv2.bias).then(&norm3),
            conv2: conv2.then(&norm3),
            conv3,
            skip_scale: norm1.scale,
            scale2: norm2.scale,
        }
    }
}

/// The 1×1 projection, with the batch norm before it folded in.
fn fold_proj(Layer { norm, conv }: Layer) -> Conv {
    conv.after(&Affine::of(&norm))
}

impl Conv {
    /// The convolution followed by an affine map.
    fn then(mut self, affine: &Affine) -> Self {
        affine.apply_to_rows(&mut self.weight);
        affine.apply(&mut self.bias);
        self
    }

    /// A 1×1 convolution preceded by an affine map.
    fn after(mut self, affine: &Affine) -> Self {
        for (row, b) in self.weight.chunks_exact_mut(self.inputs).zip(&mut self.bias) {
            for ((w, scale), shift) in row.iter_mut().zip(&affine.scale).zip(&affine.shift) {
                *b += *w * shift;
                *w *= scale;
            }
        }
        self
    }

    fn plus_bias(mut self, bias: &[f32]) -> Self {
        add(&mut self.bias, bias);
        self
    }
}

impl Linear {
    fn then(mut self, affine: &Affine) -> Self {
        affine.apply_to_rows(&mut self.weight);
        affine.apply(&mut self.bias);
        self
    }

    fn plus_bias(mut self, bias: &[f32]) -> Self {
        add(&mut self.bias, bias);
        self
    }
}

fn add(values: &mut [f32], others: &[f32]) {
    values.iter_mut().zip(others).for_each(|(value, other)| *value += other);
}

impl Affine {
    fn of(norm: &BatchNorm) -> Self {
        let BatchNorm { weight, bias, running_mean, running_var } = norm;
        let scale: Vec<f32> =
            weight.iter().zip(running_var).map(|(w, v)| w / (v + BATCH_NORM_EPS).sqrt()).collect();
        let shift = bias.iter().zip(running_mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Affine { scale, shift }
    }

    /// Multiplies each row of `weights`, `[channel, .]`, by the scale of its channel.
    fn apply_to_rows(&self, weights: &mut [f32]) {
        let length = weights.len() / self.scale.len();
        for (row, scale) in weights.chunks_exact_mut(length).zip(&self.scale) {
            row.iter_mut().for_each(|w| *w *= scale);
        }
    }

    fn apply(&self, values: &mut [f32]) {
        for ((v, s), t) in values.iter_mut().zip(&self.scale).zip(&self.shift) {
            *v = *v * s + t;
        }
    }
}
