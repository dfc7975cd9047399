//! The memory of the network for a batch of tiles.

use cudarc::driver::CudaGraph;

use super::super::conv::{CHANNELS_IN, MAX_PIXELS, Map, Size, value_bytes};
use super::super::kernels::Address;
use super::super::style::Shifts;
use super::super::{Buffer, Gpu};
use super::unet::{Parts, Unet, stored};
use crate::{Error, Result};

/// The maps of the network for a batch of tiles. They are allocated once and used for every batch.
#[derive(Debug)]
pub struct State {
    /// The tiles, `[tile, height, width, CHANNELS_IN]`. Channels beyond the network's own must be zero.
    pub input: Map,
    /// The output of the network, `[tile, nout, height, width]`.
    pub output: Buffer<f32>,
    /// The style vector of each tile, scaled to unit length, `[tile, style_length]`.
    pub style: Buffer<f32>,
    pub(super) batch: usize,
    pub(super) tile: (usize, usize),
    pub(super) levels: Vec<Level>,
    pub(super) shifts: Shifts,
    pub(super) replay: Replay,
}

/// The maps of one level of the U-Net.
#[derive(Debug)]
pub(super) struct Level {
    /// The output of the residual block on the way down, which is the skip.
    pub(super) skip: Map,
    /// The maximum of each 2×2 pixels of the skip, which is the input of the next level; empty at the deepest level.
    pub(super) pooled: Map,
    /// The output of the residual block on the way up.
    pub(super) out: Map,
    /// What one convolution writes and the next one reads.
    pub(super) middle: Map,
}

impl State {
    /// Allocates the maps for `batch` tiles of size (height, width), both multiples of 16.
    ///
    /// # Errors
    /// [`Error::Device`] when there is not enough memory, or when the batch has more than [`MAX_PIXELS`] pixels.
    pub fn new(gpu: &Gpu, unet: &Unet, batch: usize, tile: (usize, usize)) -> Result<State> {
        let Parts { precision, nout, ref nbase, ref linears, .. } = *unet.0;
        let full = size(batch, tile, 0);
        if full.pixels() > MAX_PIXELS {
            return Err(Error::device("cuda", format!("a batch of {} pixels is too large", full.pixels())));
        }
        let (mut output, mut style) = (Buffer::new(), Buffer::new());
        output.resize(gpu, full.pixels() * nout)?;
        style.resize(gpu, batch * linears.length())?;
        let level = |n: usize| {
            let len = size(batch, tile, n).pixels() * stored(nbase[n + 1]);
            let map = |len| Map::new(gpu, precision, len);
            let pooled = if n + 2 < nbase.len() { len / 4 } else { 0 };
            Ok(Level { skip: map(len)?, pooled: map(pooled)?, out: map(len)?, middle: map(len)? })
        };
        let levels = nbase.len() - 1;
        Ok(State {
            input: Map::new(gpu, precision, full.pixels() * CHANNELS_IN)?,
            output,
            style,
            batch,
            tile,
            levels: (0..levels).map(level).collect::<Result<_>>()?,
            shifts: Shifts::new(gpu, precision, linears, size(batch, tile, levels - 1))?,
            replay: Replay::default(),
        })
    }

    /// The bytes of GPU memory that [`State::new`] allocates.
    pub fn bytes(unet: &Unet, batch: usize, tile: (usize, usize)) -> usize {
        let Parts { precision, nout, ref nbase, ref linears, .. } = *unet.0;
        let levels = nbase.len() - 1;
        let pixels = size(batch, tile, 0).pixels();
        let maps = (0..levels).map(|n| {
            let len = size(batch, tile, n).pixels() * stored(nbase[n + 1]);
            3 * len + if n + 1 < levels { len / 4 } else { 0 }
        });
        let values = pixels * CHANNELS_IN + maps.sum::<usize>();
        let shifts = Shifts::bytes(precision, linears, size(batch, tile, levels - 1));
        value_bytes(precision) * values + 4 * (pixels * nout + batch * linears.length()) + shifts
    }

    /// The number of tiles that there is room for.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The addresses of the maps that a caller could replace.
    pub(super) fn addresses(&self, gpu: &Gpu) -> [u64; 3] {
        let input = match &self.input {
            Map::F16(input) => Address::of(gpu, input, 0).number(),
            Map::F32(input) => Address::of(gpu, input, 0).number(),
        };
        let [output, style] = [&self.output, &self.style].map(|buffer| Address::of(gpu, buffer, 0).number());
        [input, output, style]
    }

    /// (height, width) of a tile.
    pub fn tile(&self) -> (usize, usize) {
        self.tile
    }
}

/// The size of a batch of `count` tiles at a level; level 0 is the finest.
pub(super) fn size(count: usize, (height, width): (usize, usize), level: usize) -> Size {
    Size { count, height: height >> level, width: width >> level }
}

/// The launches of a full batch, recorded as a CUDA graph. The kernels of the first full batch are launched one by one,
/// so that the driver does not have to load them during the recording.
#[derive(Default)]
pub(super) enum Replay {
    /// No full batch has run yet.
    #[default]
    Fresh,
    /// A full batch has run, but is not recorded.
    Warm,
    /// The graph, with the network and the addresses of [`State::addresses`] that it was recorded with.
    Recorded(CudaGraph, Unet, [u64; 3]),
}

// SAFETY: a graph may be used from any thread, but not from two at once; `forward` borrows the state mutably.
unsafe impl Send for Replay {}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Replay::Fresh => "Fresh",
            Replay::Warm => "Warm",
            Replay::Recorded(..) => "Recorded",
        })
    }
}
