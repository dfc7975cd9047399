//! The CPU as a backend of the pipeline.

use std::sync::Arc;

use super::batch::{Arena, run_tiles};
use super::channels::Channels;
use super::cluster::cluster;
use super::components;
use super::flow_error::drop_bad_flows;
use super::follow::{Points, follow};
use super::input::Input;
use super::network::Unet;
use super::normalize::{Levels, levels};
use super::parts::keep_largest_parts;
use super::resize;
use crate::backend::{Backend, Job, Size};
use crate::options::{Compat, Options};
use crate::plan::grid::Grid;
use crate::watch::Watch;
use crate::{Image, Result};

/// The default number of tiles that go through the network together, as in cellpose. With more threads than this, each
/// thread gets a tile, because the deep maps of one tile are too small to be shared by many threads.
const BATCH: usize = 8;

/// The CPU with a network.
pub(crate) struct Cpu {
    unet: Arc<Unet>,
    arena: Arena,
}

/// The arrays of one image between two stages.
#[derive(Default)]
pub(crate) struct Work {
    /// One for each channel; empty when the pixels are not normalised.
    levels: Vec<Levels>,
    /// The maps, `[nout, height, width]`.
    maps: Vec<f32>,
    style: Vec<f32>,
    points: Points,
    labels: Vec<u32>,
}

impl Cpu {
    pub fn new(unet: Arc<Unet>) -> Self {
        Cpu { unet, arena: Arena::default() }
    }

    /// The channels that the options choose. They are read when needed, so that the image is not copied.
    fn channels_of<'a>(&self, image: &'a Image, options: &Options) -> Result<Channels<'a>> {
        Channels::of(image, options.channels, self.unet.nchan())
    }
}

impl Backend for Cpu {
    type Input<'a> = &'a Image;
    type Work = Work;

    fn channels(&mut self, work: &mut Work, image: &Image, options: &Options) -> Result<()> {
        work.levels.clear();
        self.channels_of(image, options)?.check()
    }

    fn normalize(&mut self, work: &mut Work, image: &Image, options: &Options) -> Result<()> {
        let (height, width) = image.size();
        let channels = self.channels_of(image, options)?;
        let row = |y: usize, out: &mut [f32]| channels.row(y, 0..width, out);
        work.levels = levels(row, height, width, self.unet.nchan(), &options.normalize, options.compat);
        Ok(())
    }

    fn network(&mut self, jobs: &mut [&mut Job<Self>], options: &Options, watch: &mut Watch) -> Result<()> {
        for Job { work, input, image, small, .. } in jobs {
            let input = Input::new(self.channels_of(input, options)?, &work.levels, *image, *small);
            let grid = Grid::of(*small, options);
            let batch = options.batch_size.unwrap_or(BATCH.max(rayon::current_num_threads()));
            (work.maps, work.style) = run_tiles(&self.unet, &input, &grid, batch, &self.arena, watch)?;
        }
        Ok(())
    }

    fn resize_maps(&mut self, work: &mut Work, from: Size, to: Size) -> Result<()> {
        let planes = work.maps.chunks_exact(from.0 * from.1);
        work.maps = planes.flat_map(|plane| resize::linear(plane, from, to, 1)).collect();
        Ok(())
    }

    fn follow(&mut self, work: &mut Work, size: Size, niter: u32, options: &Options) -> Result<()> {
        let (flows, cellprob) = work.maps.split_at(2 * size.0 * size.1);
        work.points = follow(flows, cellprob, size, options.cellprob_threshold, niter, options.sampling);
        Ok(())
    }

    fn cluster(&mut self, work: &mut Work, size: Size, max_size_fraction: f64) -> Result<()> {
        // Taking the points frees their memory before the next stages.
        work.labels = cluster(&std::mem::take(&mut work.points), size, max_size_fraction);
        Ok(())
    }

    fn drop_bad_flows(&mut self, work: &mut Work, size: Size, threshold: f64) -> Result<()> {
        drop_bad_flows(&mut work.labels, size.1, &work.maps, threshold);
        Ok(())
    }

    fn resize_labels(&mut self, work: &mut Work, from: Size, to: Size) -> Result<()> {
        work.labels = resize::nearest(&work.labels, from, to);
        Ok(())
    }

    fn keep_largest_parts(&mut self, work: &mut Work, size: Size) -> Result<()> {
        keep_largest_parts(&mut work.labels, size.1);
        Ok(())
    }

    fn fill_holes_and_drop_small(
        &mut self,
        work: &mut Work,
        size: Size,
        min_size: usize,
        compat: Compat,
    ) -> Result<()> {
        components::fill_holes_and_drop_small(&mut work.labels, size.1, min_size, compat);
        Ok(())
    }

    fn drop_edges(&mut self, work: &mut Work, size: Size) -> Result<()> {
        components::drop_edges(&mut work.labels, size);
        Ok(())
    }

    fn diameter(&mut self, work: &mut Work, _size: Size) -> Result<f64> {
        Ok(components::diameter(&work.labels))
    }

    fn style(&mut self, work: &mut Work) -> Result<Vec<f32>> {
        Ok(std::mem::take(&mut work.style))
    }

    fn maps(&mut self, work: &mut Work) -> Result<Vec<f32>> {
        Ok(std::mem::take(&mut work.maps))
    }

    fn labels(&mut self, work: &mut Work) -> Result<Vec<u32>> {
        Ok(std::mem::take(&mut work.labels))
    }
}
