//! Runs the stages of the pipeline on a GPU.

use std::collections::VecDeque;
use std::sync::Arc;

use cudarc::driver::CudaEvent;

use super::blend::{self, blend};
use super::channels::{Finite, Raw, channels, finite};
use super::cluster::{self, cluster};
use super::components::{self, diameter, drop_edges, fill_holes_and_drop_small};
use super::flow_error::{self, drop_bad_flows};
use super::follow::{self, Points, follow};
use super::handover::{self, DeviceImage, copy_pixels, write_labels};
use super::measure::{self, measure};
use super::network::{State, Unet, forward};
use super::normalize::{self, normalize, scale};
use super::parts::{self, keep_largest_parts};
use super::tiles::tiles;
use super::{Buffer, Gpu, Pinned, resize};
use crate::backend::{Backend, Input, Job, Size};
use crate::measure::Sums;
use crate::memory::zeros;
use crate::options::{Compat, Options};
use crate::plan::channels::chosen;
use crate::plan::grid::Grid;
use crate::plan::memory::{self, OnGpu};
use crate::spares::Spares;
use crate::watch::Watch;
use crate::{Device, Error, Image, Result};

/// Default number of tiles that go through the network together. With tiles of 224 by 224 pixels, this gives the
/// convolutions of the smallest maps about a hundred thread blocks, one for each multiprocessor of a large GPU.
const BATCH: usize = 64;
/// A lane's network may take this part of the free memory: one in `SHARE`.
const SHARE: usize = 4;
/// How many tile sizes the memory of the network is kept for. An image that is smaller than a tile is one tile of the
/// size of its padded image, so the size of tiles can change from image to image.
const STATES: usize = 4;

/// The backend that runs on one stream of a GPU.
pub(crate) struct Cuda {
    pub(super) gpu: Gpu,
    pub(super) unet: Arc<Unet>,
    /// The network of the planes of a volume across y and x, if that is another one.
    pub(super) ortho: Option<Arc<Unet>>,
    /// What results are copied to.
    spares: Arc<Spares>,
    /// The network's memory for each size of tiles, in the order of their last use.
    pub(super) states: Vec<State>,
    /// Estimate of the bytes that the largest image so far needs.
    max_bytes: u64,
    scratch: Scratch,
}

/// The scratch memory of the stages. All images share it, since a stream works on one image at a time.
#[derive(Default)]
struct Scratch {
    normalize: normalize::Scratch,
    blend: blend::Scratch,
    follow: follow::Scratch,
    cluster: cluster::Scratch,
    flow_error: flow_error::Scratch,
    parts: parts::Scratch,
    components: components::Scratch,
    measure: measure::Scratch,
    handover: handover::Scratch,
}

/// The arrays of one image.
#[derive(Default)]
pub(crate) struct Work {
    pinned: Pinned,
    raw: Raw,
    finite: Finite,
    /// The normalised channels, `[height, width, nchan]`, at the size of the image.
    pixels: Buffer<f32>,
    /// The network's output, `[tiles, nout, tile height, tile width]`.
    values: Buffer<f32>,
    /// The style vector of each tile, `[tiles, style length]`.
    styles: Buffer<f32>,
    /// The style vector of the image, scaled to unit length.
    style: Buffer<f32>,
    /// Flows and cellprob, `[nout, height, width]`.
    maps: Buffer<f32>,
    points: Points,
    labels: Buffer<u32>,
    /// No label in `labels` exceeds this.
    max_label: u32,
    /// The maps and the labels at another size, while they are resized.
    other_maps: Buffer<f32>,
    other_labels: Buffer<u32>,
}

/// Where the pixels of an image are.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// In the host's memory.
    Host(&'a Image),
    /// In the GPU's memory. The labels may be written there too.
    Device(&'a DeviceImage),
}

impl Source<'_> {
    fn channels(self) -> usize {
        match self {
            Source::Host(image) => image.channels(),
            Source::Device(image) => image.shape[2],
        }
    }
}

impl Input for Source<'_> {
    fn size(self) -> Size {
        match self {
            Source::Host(image) => image.size(),
            Source::Device(image) => image.size(),
        }
    }
}

/// Consecutive tiles of one image in a batch.
struct Run {
    /// Index of the image.
    job: usize,
    first_tile: usize,
    count: usize,
}

impl Cuda {
    pub fn new(gpu: Gpu, unet: Arc<Unet>, ortho: Option<Arc<Unet>>, spares: Arc<Spares>) -> Self {
        Cuda { gpu, unet, ortho, spares, states: Vec::new(), max_bytes: 0, scratch: Scratch::default() }
    }

    /// The GPU that the backend runs on.
    pub fn device(&self) -> Device {
        self.gpu.device()
    }

    /// How many tiles go through the network together.
    pub fn batch(&self, options: &Options) -> usize {
        options.batch_size.unwrap_or(BATCH)
    }

    /// Writes the labels to the GPU's memory: `to` is the address of the first label and the bytes from one row to the
    /// next. Returns the number of cells.
    pub fn write_labels(&mut self, work: &mut Work, image: &DeviceImage, to: (u64, isize)) -> Result<u32> {
        write_labels(&self.gpu, &work.labels, image, to, &mut self.scratch.handover)
    }

    /// What is summed over each cell of the image, of which there are so many.
    pub fn sums(&mut self, work: &Work, image: Source, cells: u32) -> Result<Vec<Sums>> {
        let ((height, width), raw) = (image.size(), (&work.raw, image.channels()));
        measure(&self.gpu, &work.labels, [1, height, width], cells, raw, &mut self.scratch.measure)
    }

    /// Frees the memory that is kept from image to image: a volume may need all of it.
    pub(super) fn forget_images(&mut self) -> Result<()> {
        self.states.clear();
        self.scratch = Scratch::default();
        self.max_bytes = 0;
        // Memory is freed in the order of the stream.
        self.gpu.synchronize()
    }

    /// The network's memory for `batch` tiles of a size, or for fewer tiles where memory is short. It ends up last in
    /// `states`.
    pub(super) fn state(&mut self, tile: Size, batch: usize) -> Result<&mut State> {
        match self.states.iter().position(|state| state.tile() == tile && state.batch() >= batch) {
            Some(i) => {
                let state = self.states.remove(i);
                self.states.push(state);
            }
            None => {
                self.states.retain(|state| state.tile() != tile);
                if self.states.len() == STATES {
                    self.states.remove(0);
                }
                let fitting = self.gpu.free_memory()? / SHARE / State::bytes(&self.unet, 1, tile);
                let state = State::new(&self.gpu, &self.unet, batch.min(fitting.max(1)), tile)?;
                self.states.push(state);
            }
        }
        Ok(self.states.last_mut().expect("it was just put there"))
    }

    /// Runs the network on the tiles of the images with the indices `of`. All these tiles have the same size.
    fn run_tiles(
        &mut self,
        jobs: &mut [&mut Job<Cuda>],
        grids: &[Grid],
        of: &[usize],
        batch: usize,
        watch: &Watch,
    ) -> Result<()> {
        let (gpu, unet) = (self.gpu.clone(), self.unet.clone());
        let counts: Vec<usize> = of.iter().map(|&job| grids[job].count()).collect();
        let total = counts.iter().sum::<usize>();
        let state = self.state(grids[of[0]].tile, batch.min(total))?;
        let mut wait = Ahead::new(watch.has_caller());
        let (mut runs, mut filled, mut done) = (Vec::<Run>::new(), 0, 0);
        for (&job, tiles_of_job) in of.iter().zip(counts) {
            let grid = &grids[job];
            let all = grid.tiles();
            let mut first_tile = 0;
            while first_tile < tiles_of_job {
                let count = (tiles_of_job - first_tile).min(state.batch() - filled);
                let part = &all[first_tile..first_tile + count];
                let Job { work, image, .. } = &*jobs[job];
                let shape = [image.0, image.1, unet.nchan()];
                tiles(&gpu, &work.pixels, shape, grid, part, filled, &mut state.input)?;
                runs.push(Run { job, first_tile, count });
                (first_tile, filled, done) = (first_tile + count, filled + count, done + count);
                if filled == state.batch() || done == total {
                    watch.check()?;
                    forward(&gpu, &unet, state, filled)?;
                    scatter(&gpu, state, &runs, jobs)?;
                    wait.queued(&gpu)?;
                    watch.add(filled)?;
                    filled = 0;
                    runs.clear();
                }
            }
        }
        Ok(())
    }
}

/// How far the host runs ahead of the GPU. For a caller who may stop the run it stays close, so that little is left to do
/// then.
pub(super) struct Ahead {
    close: bool,
    batches: VecDeque<CudaEvent>,
}

impl Ahead {
    pub fn new(close: bool) -> Self {
        Ahead { close, batches: VecDeque::new() }
    }

    /// Notes that a batch was put into the stream, then waits until there are at most two. One alone would let the GPU
    /// wait for the host.
    pub fn queued(&mut self, gpu: &Gpu) -> Result<()> {
        if self.close {
            self.batches.push_back(gpu.stream().record_event(None).map_err(|e| gpu.error(e))?);
        }
        match self.batches.len() > 2 {
            true => {
                self.batches.pop_front().map_or(Ok(()), |batch| batch.synchronize()).map_err(|e| gpu.error(e))
            }
            false => Ok(()),
        }
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // After a cancelled run, kernels in this stream may still read the weights. These were allocated in another
        // stream, so freeing them does not wait for this one. Errors were reported when the results were read.
        let _ = self.gpu.synchronize();
    }
}

/// The GPU memory for an image: its arrays and those of the stages, without the network's own memory.
fn on_gpu(job: &Job<Cuda>, unet: &Unet, options: &Options) -> OnGpu {
    let (channels, kind) = match job.input {
        Source::Host(image) => (image.channels(), image.pixels().kind()),
        Source::Device(image) => (image.shape[2], image.kind),
    };
    OnGpu {
        pixels: memory::pixels(job.image, channels, kind),
        image: job.image,
        small: job.small,
        sums: options.sums && options.compute_masks,
        channels: channels as u64,
        nchan: unet.nchan() as u64,
        nout: unet.nout() as u64,
        resample: options.resample,
    }
}

/// Copies the outputs of a batch to the images that the tiles belong to.
fn scatter(gpu: &Gpu, state: &State, runs: &[Run], jobs: &mut [&mut Job<Cuda>]) -> Result<()> {
    let mut slot = 0;
    for &Run { job, first_tile, count } in runs {
        let work = &mut jobs[job].work;
        let outputs = [(&state.output, &mut work.values), (&state.style, &mut work.styles)];
        for (from, to) in outputs {
            let size = from.len() / state.batch();
            from.copy_to(gpu, slot * size, to, first_tile * size, count * size)?;
        }
        slot += count;
    }
    Ok(())
}

impl Backend for Cuda {
    type Input<'a> = Source<'a>;
    type Work = Work;

    fn check_memory(&mut self, job: &Job<Self>, options: &Options) -> Result<()> {
        // The first step of an image, perhaps on a new thread. An array of an earlier image that is freed next, for pixels
        // of another type, needs the context.
        self.gpu.context().bind_to_thread().map_err(|e| self.gpu.error(e))?;
        let needed = on_gpu(job, &self.unet, options).bytes(options);
        let limit = match options.memory {
            Some(limit) => limit,
            // What earlier images took is used again.
            None if needed > self.max_bytes => self.max_bytes.saturating_add(self.gpu.free_memory()? as u64),
            None => return Ok(()),
        };
        if needed > limit {
            let what = format!("{}: {}", self.gpu.device(), job.describe());
            return Err(Error::memory(what, needed, limit));
        }
        self.max_bytes = self.max_bytes.max(needed);
        Ok(())
    }

    fn channels(&mut self, work: &mut Work, image: Source, options: &Options) -> Result<()> {
        if let Source::Device(image) = image {
            image.check(&self.gpu)?;
        }
        let (size, nchan) = (image.size(), self.unet.nchan());
        let count = match image {
            Source::Host(image) => {
                work.raw.upload(&self.gpu, image.pixels(), &mut work.pinned)?;
                finite(&self.gpu, &work.raw, [size.0, size.1, image.channels()], &mut work.finite)?;
                image.channels()
            }
            Source::Device(image) => {
                copy_pixels(&self.gpu, image, &mut work.raw, &mut work.finite)?;
                image.shape[2]
            }
        };
        channels(&self.gpu, &work.raw, size, count, chosen(options, count, nchan)?, nchan, &mut work.pixels)
    }

    fn normalize(&mut self, work: &mut Work, image: Source, options: &Options) -> Result<()> {
        let ((height, width), nchan) = (image.size(), self.unet.nchan());
        let scratch = &mut self.scratch.normalize;
        if let Some(lowhigh) = options.normalize.lowhigh {
            let has_second = chosen(options, image.channels(), nchan)?[1] > 0;
            let all = has_second || options.compat == Compat::V3_1_1;
            let ranges = &lowhigh[..if all { nchan } else { 1 }];
            let invert = options.normalize.invert;
            return scale(&self.gpu, &mut work.pixels, height * width, nchan, ranges, invert, scratch);
        }
        let how = (&options.normalize, options.compat);
        normalize(&self.gpu, &mut work.pixels, height, width, nchan, how, scratch)
    }

    fn network(&mut self, jobs: &mut [&mut Job<Cuda>], options: &Options, watch: &Watch) -> Result<()> {
        let grids: Vec<Grid> = jobs.iter().map(|job| Grid::of(job.small, options)).collect();
        let (nout, length) = (self.unet.nout(), self.unet.style_length());
        for (job, grid) in jobs.iter_mut().zip(&grids) {
            job.work.values.resize(&self.gpu, grid.count() * nout * grid.tile.0 * grid.tile.1)?;
            job.work.styles.resize(&self.gpu, grid.count() * length)?;
        }
        watch.units(grids.iter().map(Grid::count).sum());
        let mut left: Vec<usize> = (0..jobs.len()).collect();
        while let Some(&first) = left.first() {
            let (now, later) = left.into_iter().partition(|&job| grids[job].tile == grids[first].tile);
            left = later;
            self.run_tiles(jobs, &grids, &now, self.batch(options), watch)?;
        }
        for (Job { work, .. }, grid) in jobs.iter_mut().zip(&grids) {
            blend(&self.gpu, &work.values, grid, nout, &mut work.maps, &mut self.scratch.blend)?;
            let broken = &self.scratch.blend.broken;
            blend::style(&self.gpu, &work.styles, grid.count(), length, broken, &mut work.style)?;
        }
        Ok(())
    }

    fn resize_maps(&mut self, work: &mut Work, from: Size, to: Size) -> Result<()> {
        resize::planes(&self.gpu, &work.maps, from, to, self.unet.nout(), &mut work.other_maps)?;
        std::mem::swap(&mut work.maps, &mut work.other_maps);
        Ok(())
    }

    fn follow(
        &mut self,
        work: &mut Work,
        size: Size,
        niter: u32,
        options: &Options,
        _: &Watch,
    ) -> Result<()> {
        let (threshold, sampling) = (options.cellprob_threshold, options.sampling);
        let Work { maps, points, .. } = work;
        follow(&self.gpu, maps, size, threshold, niter, sampling, points, &mut self.scratch.follow)
    }

    fn cluster(&mut self, work: &mut Work, size: Size, max_size_fraction: f64, _: &Watch) -> Result<()> {
        let Work { points, labels, max_label, .. } = work;
        *max_label = cluster::max_label(size);
        cluster(&self.gpu, points, size, max_size_fraction, labels, &mut self.scratch.cluster)
    }

    fn drop_bad_flows(&mut self, work: &mut Work, size: Size, threshold: f64, _: &Watch) -> Result<()> {
        let scratch = &mut self.scratch.flow_error;
        let Work { labels, maps, max_label, .. } = work;
        drop_bad_flows(&self.gpu, labels, size, *max_label, (maps, threshold), scratch)
    }

    fn resize_labels(&mut self, work: &mut Work, from: Size, to: Size) -> Result<()> {
        resize::nearest(&self.gpu, &work.labels, from, to, &mut work.other_labels)?;
        std::mem::swap(&mut work.labels, &mut work.other_labels);
        Ok(())
    }

    fn keep_largest_parts(&mut self, work: &mut Work, size: Size, _: &Watch) -> Result<()> {
        keep_largest_parts(&self.gpu, &mut work.labels, size, work.max_label, &mut self.scratch.parts)
    }

    fn fill_holes_and_drop_small(
        &mut self,
        work: &mut Work,
        size: Size,
        min_size: usize,
        compat: Compat,
        _: &Watch,
    ) -> Result<()> {
        let scratch = &mut self.scratch.components;
        fill_holes_and_drop_small(
            &self.gpu,
            &mut work.labels,
            size,
            work.max_label,
            (min_size, compat),
            scratch,
        )
    }

    fn drop_edges(&mut self, work: &mut Work, size: Size) -> Result<()> {
        drop_edges(&self.gpu, &mut work.labels, size, work.max_label, &mut self.scratch.components)
    }

    fn diameter(&mut self, work: &mut Work, size: Size) -> Result<f64> {
        diameter(&self.gpu, &work.labels, size, work.max_label, &mut self.scratch.components)
    }

    fn style(&mut self, work: &mut Work) -> Result<Vec<f32>> {
        work.finite.check(&self.gpu, &work.raw)?;
        work.style.download(&self.gpu)
    }

    fn maps(&mut self, work: &mut Work, size: Size) -> Result<(Vec<f32>, Vec<f32>)> {
        let pixels = size.0 * size.1;
        let (mut flows, mut cellprob) = (self.spares.floats(2 * pixels), self.spares.floats(pixels));
        work.pinned.download_to(&self.gpu, &work.maps, &mut [&mut flows, &mut cellprob])?;
        Ok((flows, cellprob))
    }

    fn map(&mut self, work: &mut Work) -> Result<Vec<f32>> {
        let mut map = zeros(work.maps.len());
        work.pinned.download_to(&self.gpu, &work.maps, &mut [&mut map])?;
        Ok(map)
    }

    fn labels(&mut self, work: &mut Work) -> Result<Vec<u32>> {
        let mut labels = self.spares.labels(work.labels.len());
        work.pinned.download_to(&self.gpu, &work.labels, &mut [&mut labels])?;
        Ok(labels)
    }

    fn measure(&mut self, work: &mut Work, image: Source, labels: &[u32]) -> Result<Vec<Sums>> {
        self.sums(work, image, labels.iter().copied().max().unwrap_or(0))
    }
}
