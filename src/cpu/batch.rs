//! The tiles of an image, or of the planes of a volume, go through the network in batches.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::blend::Blend;
use super::conv::Window;
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

/// Reads the planes that go through the network: writes the columns of row `y` of a plane, `[column, nchan]`.
pub(crate) trait Planes: Sync {
    fn row(&self, plane: usize, y: usize, columns: Range<usize>, scratch: &mut Scratch, out: &mut [f32]);
}

/// An image is one plane.
impl Planes for Input<'_> {
    fn row(&self, _: usize, y: usize, columns: Range<usize>, scratch: &mut Scratch, out: &mut [f32]) {
        Input::row(self, y, columns, scratch, out);
    }
}

/// Runs the tiles of an image through the network, as [`run_planes`]. Returns its maps and its style vector.
///
/// # Errors
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub(crate) fn run_tiles(
    unet: &Unet,
    input: &Input,
    grid: &Grid,
    batch: usize,
    arena: &Arena,
    watch: &Watch,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let mut found = (Vec::new(), Vec::new());
    run_planes(unet, input, 1, grid, batch, arena, watch, |_, maps, style| {
        found = (maps, style);
        Ok(())
    })?;
    Ok(found)
}

/// Runs batches of `batch` tiles of all `count` planes, which the workers share: a batch has tiles of several planes. When
/// the tiles of a plane are done, calls `done` with its number, its maps, `[nout, height, width]` of the grid's image, and
/// its style vector: the sum of the tiles' style vectors, scaled to unit length. It is NaN if a value of the maps is not
/// finite.
///
/// Tiles are added in their order in the grid, so the result does not depend on `batch`.
///
/// # Errors
/// Those of `done`, and [`Error::Cancelled`](crate::Error::Cancelled) when the caller wants to stop. Each tile is a unit of
/// the watch's step.
#[expect(clippy::too_many_arguments, reason = "each is one thing, and both callers have them apart")]
pub(crate) fn run_planes(
    unet: &Unet,
    planes: &impl Planes,
    count: usize,
    grid: &Grid,
    batch: usize,
    arena: &Arena,
    watch: &Watch,
    mut done: impl FnMut(usize, Vec<f32>, Vec<f32>) -> Result<()>,
) -> Result<()> {
    let tiles = grid.tiles();
    let all: Vec<(usize, Tile)> =
        (0..count).flat_map(|plane| tiles.iter().map(move |&tile| (plane, tile))).collect();
    let batch = batch.clamp(1, all.len().max(1));
    let share = batch.div_ceil(rayon::current_num_threads());
    let mut workers = arena.take(unet, grid.tile, batch.div_ceil(share));
    let mut sum = Sum::new(unet, grid);
    let mut added = 0;
    for part in all.chunks(batch) {
        let shares = workers.par_iter_mut().zip(part.par_chunks(share));
        shares.try_for_each(|(worker, tiles)| worker.run(unet, planes, grid, tiles, watch))?;
        for (worker, tiles) in workers.iter().zip(part.chunks(share)) {
            for (i, &(plane, tile)) in tiles.iter().enumerate() {
                sum.add(tile, worker.output(unet, i));
                added += 1;
                if added % grid.count() == 0 {
                    let (maps, style) = std::mem::replace(&mut sum, Sum::new(unet, grid)).finish();
                    done(plane, maps, style)?;
                }
            }
        }
    }
    arena.put_back(workers);
    Ok(())
}

/// What the tiles of a plane add up to.
struct Sum<'a> {
    blend: Blend<'a>,
    style: Vec<f32>,
}

impl<'a> Sum<'a> {
    fn new(unet: &Unet, grid: &'a Grid) -> Self {
        Sum { blend: Blend::new(grid, unet.nout()), style: vec![0.0; unet.style_length()] }
    }

    fn add(&mut self, tile: Tile, (values, style): (&[f32], &[f32])) {
        self.blend.add(tile, values);
        self.style.iter_mut().zip(style).for_each(|(sum, s)| *sum += s);
    }

    /// The maps and the style vector.
    fn finish(mut self) -> (Vec<f32>, Vec<f32>) {
        unit_length(&mut self.style);
        let (maps, finite) = self.blend.finish();
        if !finite {
            self.style.fill(f32::NAN);
        }
        (maps, self.style)
    }
}

/// The pixels of a tile that lie in the image: the padding is part of no result.
fn needed(grid: &Grid, tile: Tile) -> Window {
    let range = |start: usize, before: usize, image: usize, length: usize, flip: bool| {
        let from = before.saturating_sub(start).min(length);
        let to = (before + image).saturating_sub(start).clamp(from, length);
        if flip { length - to..length - from } else { from..to }
    };
    let Grid { image, before, tile: size, .. } = grid;
    Window {
        rows: range(tile.y, before.0, image.0, size.0, tile.flip_y),
        columns: range(tile.x, before.1, image.1, size.1, tile.flip_x),
    }
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

    fn run(
        &mut self,
        unet: &Unet,
        planes: &impl Planes,
        grid: &Grid,
        tiles: &[(usize, Tile)],
        watch: &Watch,
    ) -> Result<()> {
        let values = unet.nout() * self.tile.0 * self.tile.1;
        if self.values.len() < tiles.len() * values {
            self.values = zeros(tiles.len() * values);
        }
        self.styles.clear();
        let mut scratch = Scratch::default();
        for (&(plane, tile), values) in tiles.iter().zip(self.values.chunks_exact_mut(values)) {
            let row = |y, columns, out: &mut [f32]| planes.row(plane, y, columns, &mut scratch, out);
            grid.cut(row, unet.nchan(), tile, &mut self.pixels);
            self.state.set_input(&self.pixels);
            forward_while(unet, &mut self.state, &needed(grid, tile), values, &|| watch.go_on());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pixels_of_the_image_are_needed_and_no_others() {
        for (size, augment) in
            [((52, 120), false), ((300, 500), false), ((40, 230), true), ((300, 500), true)]
        {
            let grid = Grid::new(size.0, size.1, 224, 0.1, augment);
            for tile in grid.tiles() {
                let needed = needed(&grid, tile);
                let (height, width) = grid.tile;
                let in_image =
                    |i: usize, length: usize, flip: bool, start: usize, before: usize, image: usize| {
                        let place = start + if flip { length - 1 - i } else { i };
                        (before..before + image).contains(&place)
                    };
                for y in 0..height {
                    let want = in_image(y, height, tile.flip_y, tile.y, grid.before.0, size.0);
                    assert_eq!(needed.rows.contains(&y), want, "{size:?} {tile:?} {y}");
                }
                for x in 0..width {
                    let want = in_image(x, width, tile.flip_x, tile.x, grid.before.1, size.1);
                    assert_eq!(needed.columns.contains(&x), want, "{size:?} {tile:?} {x}");
                }
            }
        }
    }
}
