//! The network on a GPU: from tiles on the host to maps on the host.

use std::time::Instant;

use anyhow::{Context, ensure};
use flowmask::cuda::network::{State, Unet, forward};
use flowmask::cuda::{Buffer, Gpu, tiles};
use flowmask::plan::grid::Grid;
use flowmask::{Model, Precision};
use ndarray::IxDyn;
use serde_json::Value;

use crate::question::{Result, Run, floats, one, shaped, size};

/// One batch of tiles. The copies to and from the GPU are measured, as they are of cellpose's own forward pass.
pub fn network(model: &Model, ordinal: usize, precision: Precision, question: &Value) -> Result<Run> {
    let tiles = floats(question, "tiles")?;
    ensure!(tiles.ndim() == 4, "tiles are [n, channels, height, width]");
    let (count, nchan, (height, width)) = (tiles.shape()[0], tiles.shape()[1], size(&tiles));
    let pixels = tiles.permuted_axes(IxDyn(&[0, 2, 3, 1])).as_standard_layout().into_owned();
    let gpu = Gpu::open(ordinal)?;
    let unet = Unet::new(&gpu, model.network(), precision)?;
    let mut state = State::new(&gpu, &unet, count, (height, width))?;
    // Each tile is an image that is neither scaled nor padded.
    let grid = Grid::of_padded(height, width, height.max(width), 0.1, false);
    ensure!(grid.tile == (height, width), "tiles of {height} by {width} pixels are none of the network");
    let nout = unet.nout();
    let mut buffers: Vec<Buffer<f32>> = (0..count).map(|_| Buffer::new()).collect();
    Ok(Box::new(move || {
        let begin = Instant::now();
        for (i, (tile, buffer)) in pixels.outer_iter().zip(&mut buffers).enumerate() {
            buffer.upload(&gpu, tile.as_slice().context("tiles are not in C order")?)?;
            tiles::tiles(&gpu, buffer, [height, width, nchan], &grid, &grid.tiles(), i, &mut state.input)?;
        }
        forward(&gpu, &unet, &mut state, count)?;
        let values = state.output.download(&gpu)?;
        one(begin, shaped(&[count, nout, height, width], values))
    }))
}
