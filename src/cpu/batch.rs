//! The tiles of an image go through the network in batches.

use std::sync::Mutex;

use rayon::prelude::*;

use super::blend::Blend;
use super::input::{Input, Scratch};
use super::network::{State, Unet, forward_while, unit_length};
use crate::Result;
use crate::memory::zeros;
use crate::plan::grid::{Grid, Tile};
use crate::watch::Watch;

/// The workers between two images: the next image uses the memory that they have allocated.
#[derive(Default)]
pub struct Arena(Mutex<Vec<Worker>>);

/// Runs the network on one tile after the other, and keeps their outputs.
struct Worker {
    tile: (usize, usize),
    state: State,
    /// The current tile, `[height, width, nchan]`.
    pixels: Vec<f32>,
    /// Outputs of the worker's tiles, `[., nout, height, width]`.
    values: Vec<f32>,
    /// Style vectors of the worker's tiles.
    styles: Vec<f32>,
}

/// Runs batches of `batch` tiles, which the workers share. Returns the maps of the grid's image, `[nout, height,
/// width]`, and its style vector: the sum of the tiles' style vectors, scaled to unit length. It is NaN if a value of the
/// maps is not finite.
///
/// Tiles are added in their order in the grid, so the result does not depend on `batch`.
///
/// # Errors
/// [`Error::Cancelled`](crate::Error::Cancelled) when the caller wants to stop. Each tile is a unit of the watch's step.
pub(crate) fn run_tiles(
    unet: &Unet,
    input: &Input,
    grid: &Grid,
    batch: usize,
    arena: &Arena,
    watch: &Watch,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let tiles = grid.tiles();
    let batch = batch.clamp(1, tiles.len());
    let share = batch.div_ceil(rayon::current_num_threads());
    let mut workers = arena.take(unet, grid.tile, batch.div_ceil(share));
    let mut blend = Blend::new(grid, unet.nout());
    let mut style = vec![0.0; unet.style_length()];
    for part in tiles.chunks(batch) {
        let shares = workers.par_iter_mut().zip(part.par_chunks(share));
        shares.try_for_each(|(worker, tiles)| worker.run(unet, input, grid, tiles, watch))?;
        for (worker, tiles) in workers.iter().zip(part.chunks(share)) {
            for (i, &tile) in tiles.iter().enumerate() {
                let (values, tile_style) = worker.output(unet, i);
                blend.add(tile, values);
                style.iter_mut().zip(tile_style).for_each(|(sum, s)| *sum += s);
            }
        }
    }
    arena.put_back(workers);
    unit_length(&mut style);
    let (maps, finite) = blend.finish();
    if !finite {
        style.fill(f32::NAN);
    }
    Ok((maps, style))
}

impl Arena {
    fn take(&self, unet: &Unet, tile: (usize, usize), count: usize) -> Vec<Worker> {
        let mut workers = std::mem::take(&mut *self.0.lock().unwrap_or_else(|e| e.into_inner()));
        workers.retain(|worker| worker.tile == tile);
        workers.resize_with(count, || Worker::new(unet, tile));
        workers
    }

    /// The bytes of the workers.
    pub(super) fn bytes(&self) -> u64 {
        let workers = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let bytes = |worker: &Worker| {
            worker.state.bytes() + ((worker.pixels.len() + worker.values.len()) * size_of::<f32>()) as u64
        };
        workers.iter().map(bytes).sum()
    }

    /// Keeps the workers for the next call. Of simultaneous calls, the last one's workers are kept.
    fn put_back(&self, workers: Vec<Worker>) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner()) = workers;
    }
}

impl Worker {
    fn new(unet: &Unet, tile: (usize, usize)) -> Self {
        let pixels = zeros(unet.nchan() * tile.0 * tile.1);
        let state = State::new(unet, tile.0, tile.1);
        Worker { tile, state, pixels, values: Vec::new(), styles: Vec::new() }
    }

    fn run(&mut self, unet: &Unet, input: &Input, grid: &Grid, tiles: &[Tile], watch: &Watch) -> Result<()> {
        let values = unet.nout() * self.tile.0 * self.tile.1;
        if self.values.len() < tiles.len() * values {
            self.values = zeros(tiles.len() * values);
        }
        self.styles.clear();
        let mut scratch = Scratch::default();
        for (&tile, values) in tiles.iter().zip(self.values.chunks_exact_mut(values)) {
            let row = |y, columns, out: &mut [f32]| input.row(y, columns, &mut scratch, out);
            grid.cut(row, unet.nchan(), tile, &mut self.pixels);
            self.state.set_input(&self.pixels);
            forward_while(unet, &mut self.state, values, &|| watch.go_on());
            watch.add(1)?;
            self.styles.extend(&self.state.style);
        }
        Ok(())
    }

    /// The output and the style vector of the worker's tile `i`.
    fn output(&self, unet: &Unet, i: usize) -> (&[f32], &[f32]) {
        let (values, style) = (unet.nout() * self.tile.0 * self.tile.1, unet.style_length());
        (&self.values[i * values..][..values], &self.styles[i * style..][..style])
    }
}
