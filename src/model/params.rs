//! A network's parameters as training changes them and files store them: nothing is folded.
//!
//! [`Model::params`](super::Model::params) gives those of a model, [`Model::from_params`](super::Model::from_params) makes
//! a model of them.

use std::collections::BTreeMap;

use super::architecture::{self, Architecture};
use super::tensors::{Tensor, Tensors};
use crate::{Error, Result};

/// All parameters of a U-Net with residual blocks, style and added skips.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// Channels: of the image, then of each level from the finest to the deepest (the original: 2, 32, 64, 128, 256).
    /// The style vector is as long as the last.
    pub nbase: Vec<usize>,
    /// Outputs a pixel: 3 in a network that segments (flow along y, flow along x, cell probability).
    pub nout: usize,
    /// One block a level, finest first.
    pub down: Vec<DownParams>,
    /// One block a level, finest first.
    pub up: Vec<UpParams>,
    /// The last layer, 1×1.
    pub output: Layer,
    /// What the file holds beside the network, by name. The original stores `diam_mean` and `diam_labels` there, each a
    /// diameter in pixels.
    pub others: BTreeMap<String, Tensor>,
}

/// A residual block of the way down: `x ← proj(x) + conv1(conv0(x))`, then `x ← x + conv3(conv2(x))`.
#[derive(Clone, Debug, PartialEq)]
pub struct DownParams {
    /// 1×1, without ReLU.
    pub proj: Layer,
    /// 3×3.
    pub conv: [Layer; 4],
}

/// A residual block of the way up: `x ← proj(x) + conv1(conv0(x) + skip)`, then `x ← x + conv3(conv2(x))`, where the
/// input of `conv1` to `conv3` gets a linear map of the style added.
#[derive(Clone, Debug, PartialEq)]
pub struct UpParams {
    /// 1×1, without ReLU.
    pub proj: Layer,
    /// 3×3.
    pub conv0: Layer,
    /// `conv1` to `conv3`.
    pub styled: [Styled; 3],
}

/// A layer whose input gets a linear map of the style added, a number a channel (`batchconvstyle`).
#[derive(Clone, Debug, PartialEq)]
pub struct Styled {
    /// From the style to a number for each channel.
    pub full: Linear,
    /// 3×3.
    pub layer: Layer,
}

/// Batch norm, ReLU and a convolution, in this order (`batchconv`).
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Of the convolution's input.
    pub norm: BatchNorm,
    /// The convolution.
    pub conv: Conv,
}

/// `y = weight · (x − running_mean) / √(running_var + 1e-5) + bias`, a channel each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchNorm {
    /// `[channel]`.
    pub weight: Vec<f32>,
    /// `[channel]`.
    pub bias: Vec<f32>,
    /// `[channel]`: the mean of the inputs that the network was trained on. It has no gradient.
    pub running_mean: Vec<f32>,
    /// `[channel]`: their variance, not negative. It has no gradient.
    pub running_var: Vec<f32>,
}

/// A convolution of 9 taps (3×3) or 1 (1×1).
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

/// One array of parameters.
#[derive(Debug, PartialEq)]
pub struct Parameter<'a> {
    /// Its name in the original's state dict, such as `output.2.weight`.
    pub name: String,
    /// Lengths of its axes, outermost first: `[out, in, 3, 3]` for a convolution.
    pub shape: Vec<usize>,
    /// Its values in C order.
    pub values: &'a mut Vec<f32>,
}

impl Params {
    /// Every array of parameters with its name and shape, in the order in which the network uses them.
    pub fn parameters(&mut self) -> Vec<Parameter<'_>> {
        let style = self.nbase.last().copied().unwrap_or(0);
        let mut list = List(Vec::new());
        for (n, DownParams { proj, conv }) in self.down.iter_mut().enumerate() {
            let block = format!("downsample.down.res_down_{n}");
            list.layer(&format!("{block}.proj"), 1, proj, 1);
            for (t, layer) in conv.iter_mut().enumerate() {
                list.layer(&format!("{block}.conv.conv_{t}"), 2, layer, 3);
            }
        }
        for (n, UpParams { proj, conv0, styled }) in self.up.iter_mut().enumerate() {
            let block = format!("upsample.up.res_up_{n}");
            list.layer(&format!("{block}.proj"), 1, proj, 1);
            list.layer(&format!("{block}.conv.conv_0"), 2, conv0, 3);
            for (t, Styled { full, layer }) in (1..).zip(styled) {
                let at = format!("{block}.conv.conv_{t}");
                list.linear(&format!("{at}.full"), full, style, layer.conv.inputs);
                list.layer(&format!("{at}.conv"), 2, layer, 3);
            }
        }
        list.layer("output", 2, &mut self.output, 1);
        list.0
    }

    /// The diameter in pixels to which the network expects cells to be scaled, where it is stored.
    ///
    /// # Errors
    /// [`Error::Tensor`] when it is not positive; `model` is for the message.
    pub(super) fn diameter(&self, model: &str, name: &str) -> Result<Option<f32>> {
        match self.others.get(name).map(|tensor| &tensor.data[..]) {
            Some(&[diameter]) if diameter <= 0.0 => {
                let reason = format!("is {diameter}, which is not the diameter of a cell");
                Err(Error::tensor(model, name, reason))
            }
            Some(&[diameter]) => Ok(Some(diameter)),
            _ => Ok(None),
        }
    }

    /// Takes all tensors of a model. They are moved, not copied.
    ///
    /// # Errors
    /// [`Error::Model`] for another network than a 2D U-Net of this kind, [`Error::Tensor`] for a missing tensor, a
    /// wrong shape, or a negative variance.
    pub(super) fn take(mut tensors: Tensors) -> Result<Self> {
        let mut params = Params::empty(architecture::of(&tensors)?);
        for Parameter { name, shape, values } in params.parameters() {
            *values = tensors.take(&name, &shape)?;
            if name.ends_with("running_var") && values.iter().any(|&variance| variance < 0.0) {
                return Err(Error::tensor(tensors.model(), &name, "has a negative variance"));
            }
        }
        params.others = tensors.rest();
        Ok(params)
    }

    /// The same as tensors, for a file. They are moved, not copied; `model` is for messages.
    ///
    /// # Errors
    /// [`Error::Tensor`] for values that are not finite or not as many as their shape says.
    pub(super) fn into_tensors(mut self, model: &str) -> Result<Tensors> {
        let mut tensors = Tensors::new(model);
        for (name, tensor) in std::mem::take(&mut self.others) {
            tensors.insert(&name, tensor.shape, tensor.data)?;
        }
        for Parameter { name, shape, values } in self.parameters() {
            tensors.insert(&name, shape, std::mem::take(values))?;
        }
        Ok(tensors)
    }

    /// All arrays without values.
    fn empty(Architecture { nbase, nout }: Architecture) -> Self {
        let levels = nbase.len() - 1;
        let down = |n: usize| {
            let (inputs, outputs) = (nbase[n], nbase[n + 1]);
            let conv = [inputs, outputs, outputs, outputs].map(|inputs| Layer::empty(inputs, outputs));
            DownParams { proj: Layer::empty(inputs, outputs), conv }
        };
        // The deepest block's input is as wide as the style.
        let up = |n: usize| {
            let (inputs, outputs) = (nbase[(n + 2).min(levels)], nbase[n + 1]);
            let styled = || Styled { full: Linear::default(), layer: Layer::empty(outputs, outputs) };
            UpParams {
                proj: Layer::empty(inputs, outputs),
                conv0: Layer::empty(inputs, outputs),
                styled: [styled(), styled(), styled()],
            }
        };
        Params {
            down: (0..levels).map(down).collect(),
            up: (0..levels).map(up).collect(),
            output: Layer::empty(nbase[1], nout),
            others: BTreeMap::new(),
            nbase,
            nout,
        }
    }
}

impl Layer {
    fn empty(inputs: usize, outputs: usize) -> Self {
        let conv = Conv { inputs, outputs, weight: Vec::new(), bias: Vec::new() };
        Layer { norm: BatchNorm::default(), conv }
    }
}

/// The arrays so far.
struct List<'a>(Vec<Parameter<'a>>);

impl<'a> List<'a> {
    fn add(&mut self, name: String, shape: &[usize], values: &'a mut Vec<f32>) {
        self.0.push(Parameter { name, shape: shape.into(), values });
    }

    /// The batch norm `at.0` and the convolution `at.index` of `side` by `side`.
    fn layer(&mut self, at: &str, index: usize, Layer { norm, conv }: &'a mut Layer, side: usize) {
        let (inputs, outputs) = (conv.inputs, conv.outputs);
        self.add(format!("{at}.0.weight"), &[inputs], &mut norm.weight);
        self.add(format!("{at}.0.bias"), &[inputs], &mut norm.bias);
        self.add(format!("{at}.0.running_mean"), &[inputs], &mut norm.running_mean);
        self.add(format!("{at}.0.running_var"), &[inputs], &mut norm.running_var);
        self.add(format!("{at}.{index}.weight"), &[outputs, inputs, side, side], &mut conv.weight);
        self.add(format!("{at}.{index}.bias"), &[outputs], &mut conv.bias);
    }

    fn linear(&mut self, at: &str, linear: &'a mut Linear, inputs: usize, outputs: usize) {
        self.add(format!("{at}.weight"), &[outputs, inputs], &mut linear.weight);
        self.add(format!("{at}.bias"), &[outputs], &mut linear.bias);
    }
}
