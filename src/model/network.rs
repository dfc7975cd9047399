//! The network's weights in the form in which they run: batch norms folded into what follows or precedes
//! them.

use super::architecture::Architecture;
use super::tensors::Tensors;
use crate::Result;

/// `eps` of `torch.nn.BatchNorm2d`.
const BATCH_NORM_EPS: f32 = 1e-5;

/// The U-Net, ready to run.
#[derive(Clone, Debug)]
pub struct Network {
    /// Channels: of the image, then of each level from the finest to the deepest.
    pub nbase: Vec<usize>,
    /// Outputs a pixel: flow along y, along x, cell probability; or any other number.
    pub nout: usize,
    /// One block a level, finest first.
    pub down: Vec<ResDown>,
    /// One block a level, finest first.
    pub up: Vec<ResUp>,
    /// Batch norm before the last convolution.
    pub before_output: Affine,
    /// The last convolution, 1×1.
    pub output: Conv,
}

/// `y = scale · x + shift`, a channel each: a batch norm in evaluation.
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[channel]`.
    pub scale: Vec<f32>,
    /// `[channel]`.
    pub shift: Vec<f32>,
}

/// A convolution of 9 taps (3×3) or 1 (1×1).
#[derive(Clone, Debug)]
pub struct Conv {
    /// Channels of its input.
    pub inputs: usize,
    /// Channels of its output.
    pub outputs: usize,
    /// `[out, in, tap]`, taps row by row.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

/// `y = weight · style + bias`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

/// A residual block of the way down. With `a` the ReLU of an affine map:
/// `x ← proj(x) + conv1(relu(conv0(a0(x))))`, then `x ← x + conv3(relu(conv2(a2(x))))`.
#[derive(Clone, Debug)]
pub struct ResDown {
    /// The batch norm of `conv0`, which stands before a ReLU.
    pub before0: Affine,
    /// Followed by the batch norm of `conv1`, folded in.
    pub conv0: Conv,
    /// Its bias contains the projection's.
    pub conv1: Conv,
    /// With the batch norm before it, folded in.
    pub proj: Conv,
    /// The batch norm of `conv2`, which stands before a ReLU.
    pub before2: Affine,
    /// Followed by the batch norm of `conv3`, folded in.
    pub conv2: Conv,
    /// As it is.
    pub conv3: Conv,
}

/// A residual block of the way up: as [`ResDown`], but the skip is added before the batch norm of `conv1`,
/// and a linear map of the style before those of `conv1`, `conv2` and `conv3`. Folded: the style gives each
/// of them its shift.
#[derive(Clone, Debug)]
pub struct ResUp {
    /// The batch norm of `conv0`, which stands before a ReLU.
    pub before0: Affine,
    /// Without bias, which is in `shift1`.
    pub conv0: Conv,
    /// The batch norm's scale on the skip.
    pub skip_scale: Vec<f32>,
    /// The style's shift before `conv1`.
    pub shift1: Linear,
    /// Its bias contains the projection's.
    pub conv1: Conv,
    /// With the batch norm before it, folded in.
    pub proj: Conv,
    /// The batch norm's scale before `conv2`; `shift2` is its shift.
    pub scale2: Vec<f32>,
    /// The style's shift before `conv2`.
    pub shift2: Linear,
    /// Without bias, which is in `shift3`.
    pub conv2: Conv,
    /// The style's shift before `conv3`.
    pub shift3: Linear,
    /// As it is.
    pub conv3: Conv,
}

impl Network {
    /// Folds the tensors of a model whose architecture was checked; takes them out.
    pub(crate) fn new(tensors: &mut Tensors, architecture: &Architecture) -> Result<Self> {
        let Architecture { nbase, nout } = architecture.clone();
        let (levels, style) = (nbase.len() - 1, nbase[nbase.len() - 1]);
        let mut reader = Reader { tensors, style };
        let down = (0..levels)
            .map(|n| reader.res_down(&format!("downsample.down.res_down_{n}"), nbase[n], nbase[n + 1]))
            .collect::<Result<_>>()?;
        let up = (0..levels)
            .map(|n| {
                let inputs = nbase[(n + 2).min(levels)];
                reader.res_up(&format!("upsample.up.res_up_{n}"), inputs, nbase[n + 1])
            })
            .collect::<Result<_>>()?;
        Ok(Network {
            before_output: reader.batch_norm("output.0", nbase[1])?,
            output: reader.conv("output.2", nbase[1], nout, 1)?,
            nbase,
            nout,
            down,
            up,
        })
    }

    /// Levels of the pyramid.
    pub fn levels(&self) -> usize {
        self.nbase.len() - 1
    }
}

/// Takes tensors by their names in cellpose's state dict.
struct Reader<'a> {
    tensors: &'a mut Tensors,
    style: usize,
}

impl Reader<'_> {
    fn res_down(&mut self, at: &str, inputs: usize, outputs: usize) -> Result<ResDown> {
        let norm = |n: usize, channels| self.batch_norm(&format!("{at}.conv.conv_{n}.0"), channels);
        let (norm0, norm1) = (norm(0, inputs)?, norm(1, outputs)?);
        let (norm2, norm3) = (norm(2, outputs)?, norm(3, outputs)?);
        let mut conv = |n: usize, channels| self.conv(&format!("{at}.conv.conv_{n}.2"), channels, outputs, 3);
        let (conv0, conv1) = (conv(0, inputs)?, conv(1, outputs)?);
        let (conv2, conv3) = (conv(2, outputs)?, conv(3, outputs)?);
        let proj = self.proj(at, inputs, outputs)?;
        Ok(ResDown {
            before0: norm0,
            conv0: conv0.then(&norm1),
            conv1: conv1.plus_bias(&proj.bias),
            proj,
            before2: norm2,
            conv2: conv2.then(&norm3),
            conv3,
        })
    }

    fn res_up(&mut self, at: &str, inputs: usize, outputs: usize) -> Result<ResUp> {
        // conv_0 stands alone; conv_1 to conv_3 are wrapped with their style layer.
        let styled = |n: usize| format!("{at}.conv.conv_{n}");
        let norm = |n: usize| self.batch_norm(&format!("{}.conv.0", styled(n)), outputs);
        let (norm1, norm2, norm3) = (norm(1)?, norm(2)?, norm(3)?);
        let mut conv = |n: usize| self.conv(&format!("{}.conv.2", styled(n)), outputs, outputs, 3);
        let (conv1, conv2, conv3) = (conv(1)?, conv(2)?, conv(3)?);
        let mut full = |n: usize| self.linear(&format!("{}.full", styled(n)), outputs);
        let (full1, full2, full3) = (full(1)?, full(2)?, full(3)?);
        let conv0 = self.conv(&format!("{at}.conv.conv_0.2"), inputs, outputs, 3)?;
        let proj = self.proj(at, inputs, outputs)?;
        Ok(ResUp {
            before0: self.batch_norm(&format!("{at}.conv.conv_0.0"), inputs)?,
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
        })
    }

    /// The 1×1 projection, with the batch norm before it folded in.
    fn proj(&mut self, at: &str, inputs: usize, outputs: usize) -> Result<Conv> {
        let norm = self.batch_norm(&format!("{at}.proj.0"), inputs)?;
        Ok(self.conv(&format!("{at}.proj.1"), inputs, outputs, 1)?.after(&norm))
    }

    fn batch_norm(&self, at: &str, channels: usize) -> Result<Affine> {
        let get = |what: &str| self.tensors.tensor(&format!("{at}.{what}"), &[channels]);
        let (weight, bias) = (get("weight")?, get("bias")?);
        let (mean, variance) = (get("running_mean")?, get("running_var")?);
        let scale: Vec<f32> =
            weight.iter().zip(variance).map(|(w, v)| w / (v + BATCH_NORM_EPS).sqrt()).collect();
        let shift = bias.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Ok(Affine { scale, shift })
    }

    fn conv(&mut self, at: &str, inputs: usize, outputs: usize, side: usize) -> Result<Conv> {
        let weight = self.tensors.take(&format!("{at}.weight"), &[outputs, inputs, side, side])?;
        let bias = self.tensors.take(&format!("{at}.bias"), &[outputs])?;
        Ok(Conv { inputs, outputs, weight, bias })
    }

    fn linear(&mut self, at: &str, outputs: usize) -> Result<Linear> {
        Ok(Linear {
            weight: self.tensors.take(&format!("{at}.weight"), &[outputs, self.style])?,
            bias: self.tensors.take(&format!("{at}.bias"), &[outputs])?,
        })
    }
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

fn add(values: &mut [f32], more: &[f32]) {
    values.iter_mut().zip(more).for_each(|(value, more)| *value += more);
}

impl Affine {
    /// `weights` are `[channel, .]`.
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
