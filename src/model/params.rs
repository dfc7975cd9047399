//! The parameters of a network as training changes them and as files store them, before batch norms are folded.
//!
//! [`Model::params`](super::Model::params) returns the parameters of a model, and
//! [`Model::from_params`](super::Model::from_params) makes a model of parameters. The numbers are in single precision
//! unless stated otherwise; training can be judged in double precision.

use std::collections::BTreeMap;

use super::architecture::Architecture;
use super::tensors::Tensor;

mod file;
mod map;

/// All parameters of a U-Net with residual blocks, style and added skips.
#[derive(Clone, Debug, PartialEq)]
pub struct Params<T = f32> {
    /// Channels of the image, then of each level from the finest to the deepest (2, 32, 64, 128, 256 in the original).
    /// The last is also the length of the style vector.
    pub nbase: Vec<usize>,
    /// Outputs for each pixel. A network that segments has 3: flow along y, flow along x and cell probability.
    pub nout: usize,
    /// The residual blocks of the way down, one for each level, finest first.
    pub down: Vec<DownParams<T>>,
    /// The residual blocks of the way up, one for each level, finest first.
    pub up: Vec<UpParams<T>>,
    /// The last layer, 1×1.
    pub output: Layer<T>,
    /// Tensors in the file that are not part of the network, by name. The original stores `diam_mean` and
    /// `diam_labels`, which are diameters in pixels.
    pub others: BTreeMap<String, Tensor>,
}

/// A residual block of the way down: `x ← proj(x) + conv1(conv0(x))`, then `x ← x + conv3(conv2(x))`.
#[derive(Clone, Debug, PartialEq)]
pub struct DownParams<T = f32> {
    /// The projection, 1×1, without ReLU.
    pub proj: Layer<T>,
    /// `conv0` to `conv3`, 3×3.
    pub conv: [Layer<T>; 4],
}

/// A residual block of the way up: `x ← proj(x) + conv1(conv0(x) + skip)`, then `x ← x + conv3(conv2(x))`, where a
/// linear map of the style is added to the input of `conv1`, `conv2` and `conv3`.
#[derive(Clone, Debug, PartialEq)]
pub struct UpParams<T = f32> {
    /// The projection, 1×1, without ReLU.
    pub proj: Layer<T>,
    /// `conv0`, 3×3.
    pub conv0: Layer<T>,
    /// `conv1` to `conv3`, 3×3.
    pub styled: [Styled<T>; 3],
}

/// A layer with a linear map of the style, which is added to the layer's input (`batchconvstyle`).
#[derive(Clone, Debug, PartialEq)]
pub struct Styled<T = f32> {
    /// The linear map: from the style to one number for each channel of the input.
    pub full: Linear<T>,
    /// The layer.
    pub layer: Layer<T>,
}

/// Batch norm, ReLU and a convolution, in this order (`batchconv`).
#[derive(Clone, Debug, PartialEq)]
pub struct Layer<T = f32> {
    /// The batch norm of the input.
    pub norm: BatchNorm<T>,
    /// The convolution.
    pub conv: Conv<T>,
}

/// `y = weight · (x − running_mean) / √(running_var + 1e-5) + bias` for each channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchNorm<T = f32> {
    /// The learned factors, `[channel]`.
    pub weight: Vec<T>,
    /// The learned summands, `[channel]`.
    pub bias: Vec<T>,
    /// The mean of the inputs during training, `[channel]`. It has no gradient.
    pub running_mean: Vec<T>,
    /// The variance of the inputs during training, `[channel]`, not negative. It has no gradient.
    pub running_var: Vec<T>,
}

/// A convolution with 9 taps (3×3) or one tap (1×1).
#[derive(Clone, Debug, PartialEq)]
pub struct Conv<T = f32> {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// The weights, `[out, in, tap]`, the taps row by row.
    pub weight: Vec<T>,
    /// The bias, `[out]`.
    pub bias: Vec<T>,
}

/// `y = weight · style + bias`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear<T = f32> {
    /// The weights, `[out, in]`.
    pub weight: Vec<T>,
    /// The bias, `[out]`.
    pub bias: Vec<T>,
}

/// One array of parameters.
#[derive(Debug, PartialEq)]
pub struct Parameter<'a, T = f32> {
    /// The name in the original's state dict, such as `output.2.weight`.
    pub name: String,
    /// Lengths of the axes, outermost first: `[out, in, 3, 3]` for a 3×3 convolution.
    pub shape: Vec<usize>,
    /// The values in C order.
    pub values: &'a mut Vec<T>,
}

impl<T> Params<T> {
    /// Every array of parameters, first those of the way down, then of the way up, then of the output. Changing the
    /// values changes the parameters.
    pub fn parameters(&mut self) -> Vec<Parameter<'_, T>> {
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

    /// Parameters whose arrays are empty.
    pub(super) fn empty(Architecture { nbase, nout }: Architecture) -> Self {
        let levels = nbase.len() - 1;
        let down = |n: usize| {
            let (inputs, outputs) = (nbase[n], nbase[n + 1]);
            let conv = [inputs, outputs, outputs, outputs].map(|inputs| Layer::empty(inputs, outputs));
            DownParams { proj: Layer::empty(inputs, outputs), conv }
        };
        // The input of the deepest block is its own skip, which has the channels of the last level.
        let up = |n: usize| {
            let (inputs, outputs) = (nbase[(n + 2).min(levels)], nbase[n + 1]);
            let styled = || Styled {
                full: Linear { weight: Vec::new(), bias: Vec::new() },
                layer: Layer::empty(outputs, outputs),
            };
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

impl<T> Layer<T> {
    fn empty(inputs: usize, outputs: usize) -> Self {
        let conv = Conv { inputs, outputs, weight: Vec::new(), bias: Vec::new() };
        let (weight, bias, running_mean, running_var) = Default::default();
        Layer { norm: BatchNorm { weight, bias, running_mean, running_var }, conv }
    }
}

/// Collects the arrays.
struct List<'a, T>(Vec<Parameter<'a, T>>);

impl<'a, T> List<'a, T> {
    fn add(&mut self, name: String, shape: &[usize], values: &'a mut Vec<T>) {
        self.0.push(Parameter { name, shape: shape.into(), values });
    }

    /// Adds the batch norm `at.0` and the convolution `at.index` with `side` by `side` taps.
    fn layer(&mut self, at: &str, index: usize, Layer { norm, conv }: &'a mut Layer<T>, side: usize) {
        let (inputs, outputs) = (conv.inputs, conv.outputs);
        self.add(format!("{at}.0.weight"), &[inputs], &mut norm.weight);
        self.add(format!("{at}.0.bias"), &[inputs], &mut norm.bias);
        self.add(format!("{at}.0.running_mean"), &[inputs], &mut norm.running_mean);
        self.add(format!("{at}.0.running_var"), &[inputs], &mut norm.running_var);
        self.add(format!("{at}.{index}.weight"), &[outputs, inputs, side, side], &mut conv.weight);
        self.add(format!("{at}.{index}.bias"), &[outputs], &mut conv.bias);
    }

    fn linear(&mut self, at: &str, linear: &'a mut Linear<T>, inputs: usize, outputs: usize) {
        self.add(format!("{at}.weight"), &[outputs, inputs], &mut linear.weight);
        self.add(format!("{at}.bias"), &[outputs], &mut linear.bias);
    }
}
