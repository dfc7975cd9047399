//! The weights of the network on a GPU.

use std::sync::Arc;

use super::super::conv::{Act, CHANNELS_IN, GROUP, Last, Map, Weights, pad};
use super::super::style::Linears;
use super::super::{Buffer, Gpu};
use crate::model::network::{Network, ResDown, ResUp};
use crate::{Error, Precision, Result};

/// A network whose weights are on a GPU. Clones share them.
#[derive(Clone, Debug)]
pub struct Unet(pub(super) Arc<Parts>);

/// What the clones of a [`Unet`] share.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) precision: Precision,
    pub(super) nbase: Vec<usize>,
    pub(super) nout: usize,
    pub(super) down: Vec<Down>,
    pub(super) up: Vec<Up>,
    /// The linear maps `shift1`, `shift2` and `shift3` of each residual block of the way up.
    pub(super) linears: Linears,
    pub(super) last: Last,
}

/// A [`ResDown`] on the GPU. The weights of the projection are part of `conv1`.
#[derive(Debug)]
pub(super) struct Down {
    pub(super) before0: Act,
    pub(super) conv0: Weights,
    pub(super) conv1: Weights,
    pub(super) before2: Act,
    pub(super) conv2: Weights,
    pub(super) conv3: Weights,
}

/// A [`ResUp`] on the GPU. The weights of the projection are part of `conv1`.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) before0: Act,
    pub(super) conv0: Weights,
    pub(super) skip_scale: Buffer<f32>,
    pub(super) conv1: Weights,
    pub(super) scale2: Map,
    pub(super) conv2: Weights,
    pub(super) conv3: Weights,
}

impl Unet {
    /// Copies the weights of a network to the GPU, in the order in which the kernels read them.
    ///
    /// # Errors
    /// [`Error::Device`] when there is not enough memory, when the network has more than 16 input channels or more than
    /// 32 channels at the finest level, or when a weight is too large for half precision.
    pub fn new(gpu: &Gpu, network: &Network, precision: Precision) -> Result<Unet> {
        let nbase = network.nbase.clone();
        if nbase[0] > CHANNELS_IN {
            let reason =
                format!("a network of {} input channels; a GPU supports up to {CHANNELS_IN}", nbase[0]);
            return Err(Error::device("cuda", reason));
        }
        let levels = network.levels();
        let input_channels = |n: usize| if n == 0 { CHANNELS_IN } else { stored(nbase[n]) };
        let down = |(n, block): (usize, &ResDown)| {
            Down::new(gpu, precision, block, input_channels(n), stored(nbase[n + 1]))
        };
        let up = |(n, block): (usize, &ResUp)| {
            Up::new(gpu, precision, block, stored(nbase[(n + 2).min(levels)]), stored(nbase[n + 1]))
        };
        let linears: Vec<_> =
            network.up.iter().flat_map(|block| [&block.shift1, &block.shift2, &block.shift3]).collect();
        Ok(Unet(Arc::new(Parts {
            precision,
            nout: network.nout,
            down: network.down.iter().enumerate().map(down).collect::<Result<_>>()?,
            up: network.up.iter().enumerate().map(up).collect::<Result<_>>()?,
            linears: Linears::new(gpu, &linears, nbase[levels])?,
            last: Last::new(gpu, &network.before_output, &network.output)?,
            nbase,
        })))
    }

    /// The number of channels of the input.
    pub fn nchan(&self) -> usize {
        self.0.nbase[0]
    }

    /// The number of channels of the output.
    pub fn nout(&self) -> usize {
        self.0.nout
    }

    /// The length of the style vector.
    pub fn style_length(&self) -> usize {
        self.0.linears.length()
    }

    /// The precision in which the network computes.
    pub fn precision(&self) -> Precision {
        self.0.precision
    }

    /// The bytes of GPU memory that the weights take.
    pub fn bytes(&self) -> usize {
        let Parts { down, up, linears, last, .. } = &*self.0;
        let down: usize = down.iter().map(Down::bytes).sum();
        down + up.iter().map(Up::bytes).sum::<usize>() + linears.bytes() + last.bytes()
    }
}

/// The number of channels that a map of `channels` channels is stored with.
pub(super) fn stored(channels: usize) -> usize {
    channels.next_multiple_of(GROUP)
}

impl Down {
    fn new(gpu: &Gpu, precision: Precision, block: &ResDown, inputs: usize, outputs: usize) -> Result<Self> {
        let weights = |conv, inputs, proj| Weights::new(gpu, precision, conv, inputs, proj);
        Ok(Down {
            before0: Act::new(gpu, precision, &block.before0, inputs)?,
            conv0: weights(&block.conv0, inputs, None)?,
            conv1: weights(&block.conv1, outputs, Some((&block.proj, inputs)))?,
            before2: Act::new(gpu, precision, &block.before2, outputs)?,
            conv2: weights(&block.conv2, outputs, None)?,
            conv3: weights(&block.conv3, outputs, None)?,
        })
    }

    fn bytes(&self) -> usize {
        let convolutions = [&self.conv0, &self.conv1, &self.conv2, &self.conv3].map(Weights::bytes);
        convolutions.iter().sum::<usize>() + self.before0.bytes() + self.before2.bytes()
    }
}

impl Up {
    fn new(gpu: &Gpu, precision: Precision, block: &ResUp, inputs: usize, outputs: usize) -> Result<Self> {
        let weights = |conv, inputs, proj| Weights::new(gpu, precision, conv, inputs, proj);
        Ok(Up {
            before0: Act::new(gpu, precision, &block.before0, inputs)?,
            conv0: weights(&block.conv0, inputs, None)?,
            skip_scale: Buffer::of(gpu, &pad(&block.skip_scale))?,
            conv1: weights(&block.conv1, outputs, Some((&block.proj, inputs)))?,
            scale2: Map::of(gpu, precision, &pad(&block.scale2))?,
            conv2: weights(&block.conv2, outputs, None)?,
            conv3: weights(&block.conv3, outputs, None)?,
        })
    }

    fn bytes(&self) -> usize {
        let convolutions = [&self.conv0, &self.conv1, &self.conv2, &self.conv3].map(Weights::bytes);
        let others = self.before0.bytes() + self.skip_scale.bytes() + self.scale2.bytes();
        convolutions.iter().sum::<usize>() + others
    }
}
