//! The U-Net on a batch of tiles.

use std::sync::Arc;

use cudarc::driver::CudaGraph;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};

use super::conv::{
    Act, CHANNELS_IN, ConvSum, GROUP, Last, MOST_PIXELS, Map, Size, Weights, pad, value_bytes,
};
use super::style::{Linears, Shifts, style};
use super::{Buffer, Gpu};
use crate::model::network::{Network, ResDown, ResUp};
use crate::{Error, Precision, Result};

/// A network whose weights are on a GPU. Clones share them.
#[derive(Clone, Debug)]
pub struct Unet(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    precision: Precision,
    nbase: Vec<usize>,
    nout: usize,
    down: Vec<Down>,
    up: Vec<Up>,
    /// `shift1`, `shift2` and `shift3` of each block of the way up.
    linears: Linears,
    last: Last,
}

/// [`ResDown`], laid out; `conv1` with the projection.
#[derive(Debug)]
struct Down {
    before0: Act,
    conv0: Weights,
    conv1: Weights,
    before2: Act,
    conv2: Weights,
    conv3: Weights,
}

/// [`ResUp`], laid out; `conv1` with the projection.
#[derive(Debug)]
struct Up {
    before0: Act,
    conv0: Weights,
    skip_scale: Buffer<f32>,
    conv1: Weights,
    scale2: Map,
    conv2: Weights,
    conv3: Weights,
}

impl Unet {
    /// Lays the weights out.
    ///
    /// # Errors
    /// [`Error::Device`] when there is not enough memory; for a network of more than 16 input channels or more than 32
    /// at the finest level; for a weight beyond half precision.
    pub fn new(gpu: &Gpu, network: &Network, precision: Precision) -> Result<Unet> {
        let nbase = network.nbase.clone();
        if nbase[0] > CHANNELS_IN {
            let reason =
                format!("a network of {} input channels; a GPU serves up to {CHANNELS_IN}", nbase[0]);
            return Err(Error::device("cuda", reason));
        }
        let levels = network.levels();
        let of_source = |n: usize| if n == 0 { CHANNELS_IN } else { stored(nbase[n]) };
        let down = |(n, block): (usize, &ResDown)| {
            Down::new(gpu, precision, block, of_source(n), stored(nbase[n + 1]))
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

    /// Channels of the input.
    pub fn nchan(&self) -> usize {
        self.0.nbase[0]
    }

    /// Channels of the output.
    pub fn nout(&self) -> usize {
        self.0.nout
    }

    /// Length of the style vector.
    pub fn style_length(&self) -> usize {
        self.0.linears.length()
    }

    /// In what it computes.
    pub fn precision(&self) -> Precision {
        self.0.precision
    }
}

/// Channels of a map as they are stored.
fn stored(channels: usize) -> usize {
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
}

/// The maps of a batch of tiles: allocated once, used for every batch.
#[derive(Debug)]
pub struct State {
    /// The tiles, `[tile, height, width, CHANNELS_IN]`; channels beyond the network's must be zero.
    pub input: Map,
    /// `[tile, nout, height, width]`.
    pub output: Buffer<f32>,
    /// `[tile, style_length]`, of unit length each.
    pub style: Buffer<f32>,
    batch: usize,
    tile: (usize, usize),
    levels: Vec<Level>,
    shifts: Shifts,
    replay: Replay,
}

/// The maps of one level of the pyramid.
#[derive(Debug)]
struct Level {
    /// Output of the block on the way down: the skip.
    skip: Map,
    /// The skip's 2×2 maxima: the input of the next level (unused at the deepest).
    pooled: Map,
    /// Output of the block on the way up.
    out: Map,
    /// Between two convolutions.
    middle: Map,
}

impl State {
    /// Maps for `batch` tiles of (height, width), both multiples of 16.
    ///
    /// # Errors
    /// [`Error::Device`] when there is not enough memory, or for more pixels than the kernels count.
    pub fn new(gpu: &Gpu, unet: &Unet, batch: usize, tile: (usize, usize)) -> Result<State> {
        let Parts { precision, nout, ref nbase, ref linears, .. } = *unet.0;
        let full = size(batch, tile, 0);
        if full.pixels() > MOST_PIXELS {
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

    /// Bytes of the GPU's memory that it takes.
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

    /// Tiles that it has room for.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// (height, width) of a tile.
    pub fn tile(&self) -> (usize, usize) {
        self.tile
    }
}

fn size(count: usize, (height, width): (usize, usize), level: usize) -> Size {
    Size { count, height: height >> level, width: width >> level }
}

/// The launches of a full batch, recorded. The first full batch is launched one by one, so that the driver loads the
/// kernels outside of the recording.
#[derive(Default)]
enum Replay {
    #[default]
    Fresh,
    Warm,
    Recorded(CudaGraph, Unet),
}

// SAFETY: a graph may be used from any thread, not from two at once; `forward` wants the state for itself.
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

/// Runs the network on the first `count` tiles. A tile's result depends neither on the others nor on its place.
///
/// # Errors
/// [`Error::Device`].
///
/// # Panics
/// When there is no room for so many tiles.
pub fn forward(gpu: &Gpu, unet: &Unet, state: &mut State, count: usize) -> Result<()> {
    assert!(count <= state.batch, "{count} tiles, {} at most", state.batch);
    match &state.replay {
        _ if count == 0 => Ok(()),
        _ if count < state.batch => launch(gpu, unet, state, count),
        Replay::Recorded(graph, of) if Arc::ptr_eq(&of.0, &unet.0) => {
            graph.launch().map_err(|e| gpu.error(e))
        }
        Replay::Fresh => {
            state.replay = Replay::Warm;
            launch(gpu, unet, state, count)
        }
        Replay::Warm | Replay::Recorded(..) => {
            let graph = record(gpu, unet, state)?;
            graph.launch().map_err(|e| gpu.error(e))?;
            state.replay = Replay::Recorded(graph, unet.clone());
            Ok(())
        }
    }
}

fn record(gpu: &Gpu, unet: &Unet, state: &mut State) -> Result<CudaGraph> {
    let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    gpu.stream().begin_capture(mode).map_err(|e| gpu.error(e))?;
    let launched = launch(gpu, unet, state, state.batch);
    // A recording that failed must be ended all the same.
    let graph = gpu.stream().end_capture(CUgraphInstantiate_flags(0));
    launched?;
    graph.map_err(|e| gpu.error(e))?.ok_or_else(|| Error::device("cuda", "the recording of a batch is empty"))
}

/// The launches of one batch, in order.
fn launch(gpu: &Gpu, unet: &Unet, state: &mut State, count: usize) -> Result<()> {
    let State { input, output, style, tile, levels, shifts, .. } = state;
    let parts = &*unet.0;
    let depth = parts.down.len();
    let size = |n| size(count, *tile, n);
    for n in 0..depth {
        let (above, level) = levels.split_at_mut(n);
        let input = above.last().map_or(&*input, |above| &above.pooled);
        res_down(gpu, &parts.down[n], size(n), input, &mut level[0])?;
    }
    self::style(gpu, &levels[depth - 1].skip, size(depth - 1), &parts.linears, shifts, style)?;
    for n in (0..depth).rev() {
        let (level, below) = levels.split_at_mut(n + 1);
        let below = below.first().map(|below| &below.out);
        let last = if n == 0 { Some((&parts.last, &mut *output)) } else { None };
        let style = Style { linears: &parts.linears, shifts, first: 3 * n };
        res_up(gpu, &parts.up[n], &style, size(n), below, &mut level[n], last)?;
    }
    Ok(())
}

/// See [`ResDown`] for the formula.
fn res_down(gpu: &Gpu, block: &Down, size: Size, input: &Map, level: &mut Level) -> Result<()> {
    let Level { skip: x, pooled, middle, .. } = level;
    let Down { before0, conv0, conv1, before2, conv2, conv3 } = block;
    ConvSum::of(input, conv0).act(before0).relu().write(gpu, size, middle)?;
    ConvSum::of(middle, conv1).proj(input, false).write(gpu, size, x)?;
    ConvSum::of(x, conv2).act(before2).relu().write(gpu, size, middle)?;
    let last = ConvSum::of(middle, conv3).accumulate();
    match pooled.is_empty() {
        true => last.write(gpu, size, x),
        false => last.write_pooled(gpu, size, x, pooled),
    }
}

/// The shifts of one block of the way up: three linear maps, from `first`.
struct Style<'a> {
    linears: &'a Linears,
    shifts: &'a Shifts,
    first: usize,
}

/// See [`ResUp`] for the formula. `below` is the output of the next deeper level, taken at twice its size; the deepest
/// level takes its own skip. The finest level's output goes through the network's last layer only.
fn res_up(
    gpu: &Gpu,
    block: &Up,
    &Style { linears, shifts, first }: &Style,
    size: Size,
    below: Option<&Map>,
    level: &mut Level,
    output: Option<(&Last, &mut Buffer<f32>)>,
) -> Result<()> {
    let Level { skip, out: x, middle, .. } = level;
    let (input, up) = (below.unwrap_or(skip), below.is_some());
    let Up { before0, conv0, skip_scale, conv1, scale2, conv2, conv3 } = block;
    let (shift1, shift2, shift3) =
        (shifts.of(linears, first), shifts.act_of(linears, first + 1), shifts.of(linears, first + 2));
    let sum = ConvSum::of(input, conv0).act(before0).up(up);
    sum.bias(shift1).skip(skip, skip_scale).relu().write(gpu, size, middle)?;
    ConvSum::of(middle, conv1).proj(input, up).write(gpu, size, x)?;
    ConvSum::of(x, conv2).act_of_tile(scale2, shift2).bias(shift3).relu().write(gpu, size, middle)?;
    let sum = ConvSum::of(middle, conv3).accumulate();
    match output {
        None => sum.write(gpu, size, x),
        Some((last, output)) => sum.write_last(gpu, size, x, last, output),
    }
}
