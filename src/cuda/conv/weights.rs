//! The weights of the network, in the order in which the kernels read them.

use half::f16;

use super::super::{Buffer, Gpu};
use super::{GROUP, Map, SLICE};
use crate::model::network::{Affine, Conv};
use crate::{Error, Precision, Result};

/// Taps of a 3×3 convolution.
const TAPS: usize = super::kernels::TAPS as usize;
/// The number of weights of a unit: one tap, `SLICE` inputs and `GROUP` outputs.
const UNIT: usize = super::kernels::UNIT as usize;

/// The order of the weights of a unit, and how many groups of outputs a thread block of the kernel computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[input, output]`, in single precision.
    Plain,
    /// The order in which the lanes of a warp need them for `mma.m16n8k16`: lane `4 (n % 8) + k % 8 / 2` holds inputs
    /// `k`, `k + 1`, `k + 8` and `k + 9`. It loads those of the outputs below 16 with one instruction and the others
    /// with a second one.
    Lanes,
    /// Two groups together in pieces of 8 inputs by 8 outputs, as `wgmma` reads them: `[k / 8, n / 8, n % 8, k % 8]`.
    Pieces,
}

impl Layout {
    /// The precision of the kernels that read weights in this order.
    pub fn precision(self) -> Precision {
        if self == Layout::Plain { Precision::F32 } else { Precision::F16 }
    }

    /// How many groups of [`GROUP`] outputs one thread block computes.
    pub(super) fn groups(self, outputs: usize) -> usize {
        let even = outputs.div_ceil(GROUP).is_multiple_of(2);
        if self != Layout::Plain && even { 2 } else { 1 }
    }

    /// The index of the weight of input `k` and output `n` among those of one tap of a slice for a thread block.
    fn place(self, k: usize, n: usize) -> usize {
        let (group, in_group) = (n / GROUP, n % GROUP);
        match self {
            Layout::Plain => k * GROUP + n,
            Layout::Lanes => {
                let (eight, lane) = (in_group / 8, in_group % 8 * 4 + k % 8 / 2);
                group * UNIT + eight / 2 * (UNIT / 2) + lane * 8 + eight % 2 * 4 + k / 8 * 2 + k % 2
            }
            Layout::Pieces => k / 8 * UNIT + n / 8 * 64 + n % 8 * 8 + k % 8,
        }
    }
}

/// The weights of a 3×3 convolution and of the 1×1 projection that is added to it.
#[derive(Debug)]
pub struct Weights {
    /// The same weights in each order that a kernel may need.
    values: Vec<(Layout, Map)>,
    pub(super) bias: Buffer<f32>,
    /// Stored channels of the source, of the source of the projection (0 without one), and of the result.
    pub(super) inputs: usize,
    pub(super) proj_inputs: usize,
    pub(super) outputs: usize,
}

impl Weights {
    /// Copies the weights to the GPU. `inputs` is the number of stored channels of the source, and the number beside
    /// the projection is that of the projection's source. The projection's bias is left out.
    ///
    /// # Errors
    /// [`Error::Device`] when there is not enough memory, or when a weight is too large for half precision.
    pub fn new(
        gpu: &Gpu,
        precision: Precision,
        conv: &Conv,
        inputs: usize,
        proj: Option<(&Conv, usize)>,
    ) -> Result<Self> {
        let layouts = match precision {
            Precision::F16 => gpu.choice().layouts(conv.outputs.next_multiple_of(GROUP)),
            Precision::F32 => vec![Layout::Plain],
        };
        Self::in_layouts(gpu, &layouts, conv, inputs, proj)
    }

    /// The same in these orders, which must fit the number of outputs: [`Layout::Pieces`] are for multiples of 64.
    ///
    /// # Errors
    /// As [`Weights::new`].
    pub fn in_layouts(
        gpu: &Gpu,
        layouts: &[Layout],
        conv: &Conv,
        inputs: usize,
        proj: Option<(&Conv, usize)>,
    ) -> Result<Self> {
        Ok(Weights {
            values: layouts
                .iter()
                .map(|&layout| Ok((layout, packed(gpu, layout, conv, inputs, proj)?)))
                .collect::<Result<_>>()?,
            bias: Buffer::of(gpu, &pad(&conv.bias))?,
            inputs,
            proj_inputs: proj.map_or(0, |(_, inputs)| inputs),
            outputs: conv.outputs.next_multiple_of(GROUP),
        })
    }

    /// The weights in this order, if they are there.
    pub(super) fn of(&self, layout: Layout) -> Option<&Map> {
        self.values.iter().find(|(of, _)| *of == layout).map(|(_, values)| values)
    }

    /// The bytes that they take on the GPU, in all orders.
    pub fn bytes(&self) -> usize {
        self.values.iter().map(|(_, values)| values.bytes()).sum::<usize>() + self.bias.bytes()
    }

    /// The number of stored channels of the result.
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

/// The weights of a convolution and of its projection in one order, on the GPU.
fn packed(
    gpu: &Gpu,
    layout: Layout,
    conv: &Conv,
    inputs: usize,
    proj: Option<(&Conv, usize)>,
) -> Result<Map> {
    let outputs = conv.outputs.next_multiple_of(GROUP);
    let units = (TAPS * inputs + proj.map_or(0, |(_, inputs)| inputs)) / SLICE;
    let mut values = vec![0.0; units * outputs * SLICE];
    pack(layout, conv, units, 0, &mut values);
    if let Some((proj, _)) = proj {
        pack(layout, proj, units, TAPS * inputs / SLICE, &mut values);
    }
    if layout.precision() == Precision::F16 && values.iter().any(|v| !f16::from_f32(*v).is_finite()) {
        let reason = "a weight of the network is too large for half precision; take single precision";
        return Err(Error::device("cuda", reason));
    }
    Map::of(gpu, layout.precision(), &values)
}

/// Writes the weights of a convolution to `values`, `[outputs of a thread block, unit, group]`, from unit `first` on. A
/// unit is one tap of one slice of inputs.
fn pack(layout: Layout, conv: &Conv, units: usize, first: usize, values: &mut [f32]) {
    let taps = conv.weight.len() / (conv.inputs * conv.outputs);
    let groups = layout.groups(conv.outputs);
    for (row, weights) in conv.weight.chunks_exact(taps).enumerate() {
        let (output, input) = (row / conv.inputs, row % conv.inputs);
        let block = output / (GROUP * groups);
        for (tap, &weight) in weights.iter().enumerate() {
            let unit = first + input / SLICE * taps + tap;
            let start = (block * units + unit) * groups * UNIT;
            values[start + layout.place(input % SLICE, output % (GROUP * groups))] = weight;
        }
    }
}

/// Appends zeros up to the number of channels that a map is stored with.
pub(in crate::cuda) fn pad(values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(values.len().next_multiple_of(GROUP), 0.0);
    values
}

/// The batch norm before a convolution.
#[derive(Debug)]
pub struct Act {
    pub(super) scale: Map,
    pub(super) shift: Map,
}

impl Act {
    /// Copies the batch norm to the GPU, for a source with this many stored channels.
    ///
    /// # Errors
    /// [`Error::Device`] when there is not enough memory.
    pub fn new(gpu: &Gpu, precision: Precision, affine: &Affine, channels: usize) -> Result<Self> {
        let map = |values: &[f32]| {
            let mut values = values.to_vec();
            values.resize(channels, 0.0);
            Map::of(gpu, precision, &values)
        };
        Ok(Act { scale: map(&affine.scale)?, shift: map(&affine.shift)? })
    }

    /// The bytes that it takes on the GPU.
    pub fn bytes(&self) -> usize {
        self.scale.bytes() + self.shift.bytes()
    }
}

/// The network's last layer: a batch norm, ReLU and a 1×1 convolution.
#[derive(Debug)]
pub struct Last {
    pub(super) scale: Buffer<f32>,
    pub(super) shift: Buffer<f32>,
    /// `[outputs, GROUP]`.
    pub(super) weight: Buffer<f32>,
    pub(super) bias: Buffer<f32>,
    pub(super) outputs: usize,
}

impl Last {
    /// Copies the layer to the GPU.
    ///
    /// # Errors
    /// [`Error::Device`] when there is not enough memory, or for a network with more than 32 channels at the finest
    /// level, which the kernels do not support.
    pub fn new(gpu: &Gpu, norm: &Affine, conv: &Conv) -> Result<Self> {
        if conv.inputs > GROUP {
            let reason = format!(
                "a network of {} channels at the finest level; a GPU supports up to {GROUP}",
                conv.inputs
            );
            return Err(Error::device("cuda", reason));
        }
        let mut weight = vec![0.0; conv.outputs * GROUP];
        for (to, row) in weight.chunks_exact_mut(GROUP).zip(conv.weight.chunks_exact(conv.inputs)) {
            to[..row.len()].copy_from_slice(row);
        }
        Ok(Last {
            scale: Buffer::of(gpu, &pad(&norm.scale))?,
            shift: Buffer::of(gpu, &pad(&norm.shift))?,
            weight: Buffer::of(gpu, &weight)?,
            bias: Buffer::of(gpu, &conv.bias)?,
            outputs: conv.outputs,
        })
    }

    /// The bytes that it takes on the GPU.
    pub fn bytes(&self) -> usize {
        [&self.scale, &self.shift, &self.weight, &self.bias].map(Buffer::bytes).iter().sum()
    }
}
