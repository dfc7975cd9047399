//! The parameters of a network as training changes them and as files store them, before batch norms are folded.
//!
//! [`Model::params`](super::Model::params) returns the parameters of a model, and
//! [`Model::from_params`](super::Model::from_params) makes a model of parameters.

use std::collections::BTreeMap;

use super::architecture::{self, Architecture};
use super::tensors::{Tensor, Tensors};
use crate::plan::diameter::DIAMETERS;
use crate::{Error, Result};

/// All parameters of a U-Net with residual blocks, style and added skips.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// Channels of the image, then of each level from the finest to the deepest (2, 32, 64, 128, 256 in the original).
    /// The last is also the length of the style vector.
    pub nbase: Vec<usize>,
    /// Outputs for each pixel. A network that segments has 3: flow along y, flow along x and cell probability.
    pub nout: usize,
    /// The residual blocks of the way down, one for each level, finest first.
    pub down: Vec<DownParams>,
    /// The residual blocks of the way up, one for each level, finest first.
    pub up: Vec<UpParams>,
    /// The last layer, 1×1.
    pub output: Layer,
    /// Tensors in the file that are not part of the network, by name. The original stores `diam_mean` and
    /// `diam_labels`, which are diameters in pixels.
    pub others: BTreeMap<String, Tensor>,
}

/// A residual block of the way down: `x ← proj(x) + conv1(conv0(x))`, then `x ← x + conv3(conv2(x))`.
#[derive(Clone, Debug, PartialEq)]
pub struct DownParams {
    /// The projection, 1×1, without ReLU.
    pub proj: Layer,
    /// `conv0` to `conv3`, 3×3.
    pub conv: [Layer; 4],
}

/// A residual block of the way up: `x ← proj(x) + conv1(conv0(x) + skip)`, then `x ← x + conv3(conv2(x))`, where a
/// linear map of the style is added to the input of `conv1`, `conv2` and `conv3`.
#[derive(Clone, Debug, PartialEq)]
pub struct UpParams {
    /// The projection, 1×1, without ReLU.
    pub proj: Layer,
    /// `conv0`, 3×3.
    pub conv0: Layer,
    /// `conv1` to `conv3`, 3×3.
    pub styled: [Styled; 3],
}

/// A layer with a linear map of the style, which is added to the layer's input (`batchconvstyle`).
#[derive(Clone, Debug, PartialEq)]
pub struct Styled {
    /// The linear map: from the style to one number for each channel of the input.
    pub full: Linear,
    /// The layer.
    pub layer: Layer,
}

/// Batch norm, ReLU and a convolution, in this order (`batchconv`).
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The batch norm of the input.
    pub norm: BatchNorm,
    /// The convolution.
    pub conv: Conv,
}

/// `y = weight · (x − running_mean) / √(running_var + 1e-5) + bias` for each channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchNorm {
    /// The learned factors, `[channel]`.
    pub weight: Vec<f32>,
    /// The learned summands, `[channel]`.
    pub bias: Vec<f32>,
    /// The mean of the inputs during training, `[channel]`. It has no gradient.
    pub running_mean: Vec<f32>,
    /// The variance of the inputs during training, `[channel]`, not negative. It has no gradient.
    pub running_var: Vec<f32>,
}

/// A convolution with 9 taps (3×3) or one tap (1×1).
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// The weights, `[out, in, tap]`, the taps row by row.
    pub weight: Vec<f32>,
    /// The bias, `[out]`.
    pub bias: Vec<f32>,
}

/// `y = weight · style + bias`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// The weights, `[out, in]`.
    pub weight: Vec<f32>,
    /// The bias, `[out]`.
    pub bias: Vec<f32>,
}

/// One array of parameters.
#[derive(Debug, PartialEq)]
pub struct Parameter<'a> {
    /// The name in the original's state dict, such as `output.2.weight`.
    pub name: String,
    /// Lengths of the axes, outermost first: `[out, in, 3, 3]` for a 3×3 convolution.
    pub shape: Vec<usize>,
    /// The values in C order.
    pub values: &'a mut Vec<f32>,
}

impl Params {
    /// Every array of parameters, first those of the way down, then of the way up, then of the output. Changing the
    /// values changes the parameters.
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

    /// The diameter in pixels that is stored as `name`, if any.
    ///
    /// # Errors
    /// [`Error::Tensor`] when it is not from 0.01 to 100,000; the message names the `model`.
    pub(super) fn diameter(&self, model: &str, name: &str) -> Result<Option<f32>> {
        match self.others.get(name).map(|tensor| &tensor.data[..]) {
            Some(&[diameter]) if !DIAMETERS.contains(&f64::from(diameter)) => {
                let reason =
                    format!("is {diameter:?}, but the diameter of a cell is from 0.01 to 100000 pixels");
                Err(Error::tensor(model, name, reason))
            }
            Some(&[diameter]) => Ok(Some(diameter)),
            _ => Ok(None),
        }
    }

    /// Makes parameters of all tensors of a model. They are moved, not copied.
    ///
    /// # Errors
    /// [`Error::Model`] when it is not a 2D U-Net of this kind; [`Error::Tensor`] for a missing tensor, a wrong shape,
    /// or a negative variance.
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

    /// Makes tensors of the parameters, for a file. They are moved, not copied; messages name the `model`.
    ///
    /// # Errors
    /// [`Error::Tensor`] for values that are not finite, or another number of values than the shape has.
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

    /// Parameters whose arrays are empty.
    fn empty(Architecture { nbase, nout }: Architecture) -> Self {
        let levels = nbase.len() - 1;
        let down = |n: usize| {
            let (inputs, outputs) = (nbase[n], nbase[n + 1]);
            let conv = [inputs, outputs, outputs, outputs].map(|inputs| Layer::empty(inputs, outputs));
            DownParams { proj: Layer::empty(inputs, outputs), conv }
        };
        // The input of the deepest block is its own skip, which has the channels of the last level.
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

/// Collects the arrays.
struct List<'a>(Vec<Parameter<'a>>);

impl<'a> List<'a> {
    fn add(&mut self, name: String, shape: &[usize], values: &'a mut Vec<f32>) {
        self.0.push(Parameter { name, shape: shape.into(), values });
    }

    /// Adds the batch norm `at.0` and the convolution `at.index` with `side` by `side` taps.
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
