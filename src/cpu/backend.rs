//! The CPU as a backend of the pipeline.

use std::sync::Arc;

use ndarray::ArrayView2;

use super::batch::{Arena, run_tiles};
use super::channels::Channels;
use super::cluster::cluster_while;
use super::components;
use super::flow_error::drop_bad_flows_while;
use super::follow::{Points, follow_while};
use super::input::Input;
use super::measure::measure;
use super::network::{State, Unet};
use super::normalize::{Levels, levels};
use super::parts::keep_largest_parts_while;
use super::resize;
use crate::backend::{Backend, Job, Size};
use crate::measure::Sums;
use crate::options::{Compat, Options};
use crate::plan::grid::{Grid, Shape};
use crate::plan::memory::{self, Network, Plan};
use crate::plan::volume::{ORIENTATIONS, Orientation};
use crate::watch::Watch;
use crate::{Error, Image, Result};

/// The default number of tiles that go through the network together, as in cellpose. With more threads than this, each
/// thread gets a tile, because the deep maps of one tile are too small to be shared by many threads.
const BATCH: usize = 8;

/// The bytes that a thread takes for its convolutions: the patches and products of the deepest maps, and its stack.
const THREAD: u64 = 3 << 20;

/// The CPU with a network.
pub(crate) struct Cpu {
    /// Nothing for a backend that only runs the stages after the network.
    unet: Option<Arc<Unet>>,
    /// The network of the planes of a volume across y and x, if that is another one.
    ortho: Option<Arc<Unet>>,
    pub(super) arena: Arena,
    /// The bytes of the images that are in memory together, and of their results.
    images: u64,
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
    pub fn new(unet: Arc<Unet>, ortho: Option<Arc<Unet>>) -> Self {
        Cpu { unet: Some(unet), ortho, arena: Arena::default(), images: 0 }
    }

    /// For the stages after the network.
    pub fn without_network() -> Self {
        Cpu { unet: None, ortho: None, arena: Arena::default(), images: 0 }
    }

    pub(super) fn unet(&self) -> &Unet {
        self.unet.as_ref().expect("a backend without a network gets no images")
    }

    /// Tells how much memory the images take that are segmented next, one after the other, and the results of all but
    /// the last: its own result is what its stages leave.
    pub fn hold(&mut self, images: &[&Image], options: &Options) {
        let pixels = |image: &&Image| memory::pixels_of(image);
        let results = images.iter().skip(1).map(|image| memory::result(image.size(), options));
        self.images = images.iter().map(pixels).chain(results).sum();
    }

    /// The network for the planes of a volume in an orientation.
    pub(super) fn unet_of(&self, orientation: Orientation) -> &Unet {
        match &self.ortho {
            Some(ortho) if orientation != ORIENTATIONS[0] => ortho,
            _ => self.unet(),
        }
    }

    pub(super) fn batch(options: &Options) -> usize {
        options.batch_size.unwrap_or(BATCH.max(rayon::current_num_threads()))
    }

    /// What the network takes for tiles of this size, (height, width).
    pub(super) fn network_of(&self, tile: Size) -> Network {
        let unet = self.unet();
        let bytes = unet.bytes() + self.ortho.as_ref().map_or(0, |ortho| ortho.bytes());
        Network {
            // The second addend is the networks as they were loaded, before their weights were laid out.
            weights: bytes + bytes / 4,
            nout: unet.nout() as u64,
            tile: State::bytes_of(unet, tile) + (unet.nchan() * tile.0 * tile.1 * 4) as u64,
            thread: THREAD,
        }
    }

    /// The channels that the options choose. They are read when needed, so that the image is not copied.
    fn channels_of<'a>(&self, image: &'a Image, options: &Options) -> Result<Channels<'a>> {
        Channels::chosen(image, options, self.unet().nchan())
    }
}

impl Work {
    /// The work of an image whose maps, `[3, height, width]`, are there already.
    pub fn of_maps(maps: Vec<f32>) -> Self {
        Work { maps, ..Work::default() }
    }
}

impl Backend for Cpu {
    type Input<'a> = &'a Image;
    type Work = Work;

    fn check_memory(&mut self, job: &Job<Self>, options: &Options) -> Result<()> {
        let network = self.network_of(Shape::of(job.small, options).tile());
        let Job { image, small, .. } = *job;
        let (threads, batch) = (rayon::current_num_threads(), Self::batch(options));
        let plan =
            Plan::of(&memory::Work { image, small, others: self.images, threads, batch }, &network, options);
        plan.check(options, self.arena.bytes(), || job.describe())
    }

    fn channels(&mut self, work: &mut Work, image: &Image, options: &Options) -> Result<()> {
        *work = Work::default();
        self.channels_of(image, options)?.check()
    }

    fn normalize(&mut self, work: &mut Work, image: &Image, options: &Options) -> Result<()> {
        let (height, width) = image.size();
        let channels = self.channels_of(image, options)?;
        let row = |y: usize, out: &mut [f32]| channels.row(y, 0..width, out);
        work.levels = levels(row, height, width, self.unet().nchan(), &options.normalize, options.compat);
        channels.leave_absent(&mut work.levels, options.compat);
        Ok(())
    }

    fn network(&mut self, jobs: &mut [&mut Job<Self>], options: &Options, watch: &Watch) -> Result<()> {
        watch.units(jobs.iter().map(|job| Grid::of(job.small, options).count()).sum());
        for Job { work, input, image, small, .. } in jobs {
            let input = Input::new(self.channels_of(input, options)?, &work.levels, *image, *small);
            let grid = Grid::of(*small, options);
            work.maps = Vec::new();
            let batch = Self::batch(options);
            (work.maps, work.style) = run_tiles(self.unet(), &input, &grid, batch, &self.arena, watch)?;
        }
        Ok(())
    }

    fn resize_maps(&mut self, work: &mut Work, from: Size, to: Size) -> Result<()> {
        work.maps = resize::planes(&work.maps, from, to);
        Ok(())
    }

    fn follow(
        &mut self,
        work: &mut Work,
        size: Size,
        niter: u32,
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let (flows, cellprob) = work.maps.split_at(2 * size.0 * size.1);
        let (threshold, sampling) = (options.cellprob_threshold, options.sampling);
        work.points = follow_while(flows, cellprob, size, threshold, niter, sampling, &|| watch.go_on());
        watch.check()
    }

    fn cluster(&mut self, work: &mut Work, size: Size, max_size_fraction: f64, watch: &Watch) -> Result<()> {
        // Taking the points frees their memory before the next stages.
        let points = std::mem::take(&mut work.points);
        work.labels = cluster_while(&points, size, max_size_fraction, &|| watch.go_on());
        watch.check()
    }

    fn drop_bad_flows(&mut self, work: &mut Work, size: Size, threshold: f64, watch: &Watch) -> Result<()> {
        drop_bad_flows_while(&mut work.labels, size.1, &work.maps, threshold, &|| watch.go_on());
        watch.check()
    }

    fn resize_labels(&mut self, work: &mut Work, from: Size, to: Size) -> Result<()> {
        work.labels = resize::nearest(&work.labels, from, to);
        Ok(())
    }

    fn keep_largest_parts(&mut self, work: &mut Work, size: Size, watch: &Watch) -> Result<()> {
        keep_largest_parts_while(&mut work.labels, size.1, &|| watch.go_on());
        watch.check()
    }

    fn fill_holes_and_drop_small(
        &mut self,
        work: &mut Work,
        size: Size,
        min_size: usize,
        compat: Compat,
        watch: &Watch,
    ) -> Result<()> {
        let go_on = &|| watch.go_on();
        components::fill_holes_and_drop_small_while(&mut work.labels, size.1, min_size, compat, go_on);
        watch.check()
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

    fn maps(&mut self, work: &mut Work, size: Size) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut flows = std::mem::take(&mut work.maps);
        let cellprob = flows.split_off(2 * size.0 * size.1);
        Ok((flows, cellprob))
    }

    fn map(&mut self, work: &mut Work) -> Result<Vec<f32>> {
        Ok(std::mem::take(&mut work.maps))
    }

    fn labels(&mut self, work: &mut Work) -> Result<Vec<u32>> {
        Ok(std::mem::take(&mut work.labels))
    }

    fn measure(&mut self, _: &mut Work, image: &Image, labels: &[u32]) -> Result<Vec<Sums>> {
        let plane = ArrayView2::from_shape(image.size(), labels);
        let plane = plane.map_err(|e| Error::Image(e.to_string()))?;
        Ok(measure(&[plane], std::slice::from_ref(image)))
    }
}
