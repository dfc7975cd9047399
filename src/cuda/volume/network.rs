//! The planes of a volume go through the network: `tiles`, `network`, `blend`, an orientation at a time.

use std::sync::Arc;

use super::blend::add_plane;
use super::tiles::tiles;
use super::{Size, voxels};
use crate::cuda::backend::{Ahead, Cuda};
use crate::cuda::network::{State, Unet, forward};
use crate::cuda::{Buffer, Gpu, blend};
use crate::plan::grid::Grid;
use crate::plan::volume::{MAPS, ORIENTATIONS, Orientation};
use crate::watch::Watch;
use crate::{Error, Options, Result};

/// The outputs for the tiles of the few planes that a batch has tiles of. When all tiles of a plane are there, they are
/// added to the maps, and a later plane takes their place.
struct Outputs {
    orientation: Orientation,
    size: Size,
    grid: Grid,
    /// How many planes there is room for.
    room: usize,
    /// `[plane, tile, nout, tile height, tile width]`.
    values: Buffer<f32>,
    /// The style vectors of all tiles of all planes.
    styles: Buffer<f32>,
    scratch: blend::Scratch,
}

impl Outputs {
    fn new(gpu: &Gpu, size: Size, orientation: Orientation, grid: Grid, batch: usize) -> Result<Self> {
        let room = batch.div_ceil(grid.count()) + 1;
        let (values, styles, mut scratch) = (Buffer::new(), Buffer::new(), blend::Scratch::default());
        scratch.broken.zeros(gpu, 1)?;
        Ok(Outputs { orientation, size, grid, room, values, styles, scratch })
    }

    /// Takes the outputs of a batch: `count` tiles, of which the first has the number `first` among all tiles of all planes.
    fn add(
        &mut self,
        gpu: &Gpu,
        state: &State,
        first: usize,
        count: usize,
        maps: &mut Buffer<f32>,
    ) -> Result<()> {
        let Outputs { orientation, size, grid, room, values, styles, scratch } = self;
        let (tiles, len) = (grid.count(), state.output.len() / state.batch());
        let length = state.style.len() / state.batch();
        state.style.copy_to(gpu, 0, styles, first * length, count * length)?;
        let mut next = first;
        while next < first + count {
            let (plane, end) = (next / tiles, (next / tiles + 1) * tiles);
            let some = end.min(first + count) - next;
            let place = plane % *room * tiles;
            let to = (place + next % tiles) * len;
            state.output.copy_to(gpu, (next - first) * len, values, to, some * len)?;
            next += some;
            if next == end {
                add_plane(gpu, (values, place), grid, (*size, *orientation, plane), maps, scratch)?;
            }
        }
        Ok(())
    }
}

impl Cuda {
    /// The network for the planes of a volume in an orientation.
    fn unet_of(&self, orientation: Orientation) -> &Arc<Unet> {
        match &self.ortho {
            Some(ortho) if orientation != ORIENTATIONS[0] => ortho,
            _ => &self.unet,
        }
    }

    /// Runs the planes of an orientation through the network: adds their outputs to `maps`, which become zeros if they are
    /// empty, and writes their style vectors, one behind the other, to `styles`.
    pub(super) fn add_orientation(
        &mut self,
        channels: &Buffer<f32>,
        (size, orientation): (Size, Orientation),
        (maps, styles): (&mut Buffer<f32>, &mut Buffer<f32>),
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let (gpu, unet) = (self.gpu.clone(), self.unet_of(orientation).clone());
        let (count, plane) = orientation.planes(size);
        let grid = Grid::of(plane, options);
        let (all, total) = (grid.tiles(), count * grid.count());
        if maps.is_empty() {
            maps.zeros(&gpu, MAPS * voxels(size))?;
        }
        // The memory for tiles of other sizes would be in the way.
        self.states.retain(|state| state.tile() == grid.tile);
        let batch = self.batch(options).min(total);
        let mut outputs = Outputs::new(&gpu, size, orientation, grid, batch)?;
        let Outputs { grid, room, .. } = &outputs;
        let values = room * grid.count() * unet.nout() * grid.tile.0 * grid.tile.1;
        outputs.values.resize(&gpu, values)?;
        outputs.styles.resize(&gpu, total * unet.style_length())?;
        let state = self.state(outputs.grid.tile, batch)?;
        let batch = batch.min(state.batch());
        let (mut wait, mut first) = (Ahead::new(watch.has_caller()), 0);
        while first < total {
            watch.check()?;
            let now = batch.min(total - first);
            let some: Vec<_> = (first..first + now).map(|i| (i / all.len(), all[i % all.len()])).collect();
            let volume = (channels, size, unet.nchan());
            tiles(&gpu, volume, orientation, &outputs.grid, &some, &mut state.input)?;
            forward(&gpu, &unet, state, now)?;
            outputs.add(&gpu, state, first, now, maps)?;
            wait.queued(&gpu)?;
            watch.add(now)?;
            first += now;
        }
        // The stages after the network may need its memory.
        self.states.clear();
        let broken = &outputs.scratch.broken;
        if broken.download(&gpu)? != [0] {
            return Err(Error::not_finite_output());
        }
        blend::style(&gpu, &outputs.styles, all.len(), unet.style_length(), broken, styles)
    }
}
