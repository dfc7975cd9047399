//! Runs the U-Net on a batch of tiles.

mod state;
mod unet;

use std::sync::Arc;

use cudarc::driver::CudaGraph;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};

use super::conv::{ConvSum, Last, Map, Size};
use super::style::{Linears, Shifts, style};
use super::{Buffer, Gpu};
#[cfg(doc)]
use crate::model::network::{ResDown, ResUp};
use crate::{Error, Result};
pub use state::State;
use state::{Level, Replay, size};
pub use unet::Unet;
use unet::{Down, Up};

/// Runs the network on the first `count` tiles of `state.input`, and writes `state.output` and `state.style`. The
/// result of a tile depends neither on the other tiles nor on its place in the batch.
///
/// # Errors
/// [`Error::Device`].
///
/// # Panics
/// When `state` has no room for `count` tiles.
pub fn forward(gpu: &Gpu, unet: &Unet, state: &mut State, count: usize) -> Result<()> {
    assert!(count <= state.batch, "{count} tiles, {} at most", state.batch);
    if count == 0 {
        return Ok(());
    }
    if count < state.batch {
        return launch(gpu, unet, state, count);
    }
    let addresses = state.addresses(gpu);
    match &state.replay {
        Replay::Recorded(graph, of, at) if Arc::ptr_eq(&of.0, &unet.0) && *at == addresses => {
            graph.launch().map_err(|e| gpu.error(e))
        }
        Replay::Fresh => {
            state.replay = Replay::Warm;
            launch(gpu, unet, state, count)
        }
        Replay::Warm | Replay::Recorded(..) => {
            let graph = record(gpu, unet, state)?;
            graph.launch().map_err(|e| gpu.error(e))?;
            state.replay = Replay::Recorded(graph, unet.clone(), addresses);
            Ok(())
        }
    }
}

/// Records the launches of a full batch without running them.
fn record(gpu: &Gpu, unet: &Unet, state: &mut State) -> Result<CudaGraph> {
    let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    gpu.stream().begin_capture(mode).map_err(|e| gpu.error(e))?;
    let launched = launch(gpu, unet, state, state.batch);
    // The recording must also be ended when a launch failed.
    let graph = gpu.stream().end_capture(CUgraphInstantiate_flags(0));
    launched?;
    graph.map_err(|e| gpu.error(e))?.ok_or_else(|| Error::device("cuda", "the recording of a batch is empty"))
}

/// Launches all kernels for the first `count` tiles, in order.
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

/// A residual block of the way down; [`ResDown`] has the formula.
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

/// The shifts of one residual block of the way up: those of three linear maps, the first of which has index `first`.
struct Style<'a> {
    linears: &'a Linears,
    shifts: &'a Shifts,
    first: usize,
}

/// A residual block of the way up; [`ResUp`] has the formula. `below` is the output of the next deeper level, which is
/// scaled to twice its size; the deepest level, which has none, takes its own skip instead. The output of the finest
/// level is not stored: the network's last layer is computed from it at once, and written to `output`.
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
