//! The straight line from images to their masks, on any backend.

use std::time::{Duration, Instant};

use crate::backend::{Backend, Input, Job, Size};
use crate::measure::Sums;
use crate::memory::enough;
use crate::model::Model;
use crate::plan::scale::{known, scaled};
use crate::watch::Watch;
use crate::{Compat, Error, Options, Result, Sampling};

/// The part of an image's time that the network takes, roughly: progress is reported by it.
const NETWORK: f64 = 0.9;

/// The stages after the network that report that they are done.
pub(crate) const STAGES: usize = 4;

/// What was found in an image: a [`crate::Segmentation`] before its arrays have shapes.
pub(crate) struct Segmented {
    /// (height, width) of `flows` and `cellprob`.
    pub size: Size,
    /// `[2, height, width]`; empty unless the options ask for it.
    pub flows: Vec<f32>,
    /// `[height, width]`; empty unless the options ask for it.
    pub cellprob: Vec<f32>,
    pub style: Vec<f32>,
    /// `[height, width]` of the image; empty when the masks stay on the device.
    pub masks: Vec<u32>,
    /// Of each cell; empty unless the options ask for it.
    pub sums: Vec<Sums>,
    pub diameter: f64,
    /// How long it took. Of what several images did together, this is the image's share.
    pub time: Duration,
}

/// Runs images through all stages of a backend.
pub(crate) struct Engine<B: Backend> {
    pub model: Model,
    pub backend: B,
    /// The arrays of earlier images, which the next images reuse.
    works: Vec<B::Work>,
}

impl<B: Backend> Engine<B> {
    pub fn new(model: Model, backend: B) -> Self {
        Engine { model, backend, works: Vec::new() }
    }

    /// Turns the pixels of several images into masks. The results are in the order of the images.
    pub fn segment(
        &mut self,
        images: &[B::Input<'_>],
        options: &Options,
        watch: &Watch,
    ) -> Vec<Result<Segmented>> {
        self.run(images, options, watch, |engine, job| {
            let mut found = engine.find(job, options, watch)?;
            if options.compute_masks {
                found.masks = engine.backend.labels(&mut job.work)?;
            }
            if options.compute_masks && options.sums {
                found.sums = engine.backend.measure(&mut job.work, job.input, &found.masks)?;
            }
            Ok(found)
        })
    }

    /// Restores an image of one channel, with a network of one output: the stages up to the network's, at the size of the image
    /// again. `scale` is what the image is scaled by for the network.
    pub fn restore(
        &mut self,
        image: B::Input<'_>,
        scale: f64,
        options: &Options,
        watch: &Watch,
    ) -> Result<Vec<f32>> {
        let mut job = self.job(image);
        job.set_scale(scale);
        let result = enough_for(&mut job, |job| {
            watch.check()?;
            self.prepare(job, options)?;
            self.backend.network(&mut [job], options, watch)?;
            if job.small != job.image {
                self.backend.resize_maps(&mut job.work, job.small, job.image)?;
            }
            self.style_of(job)?;
            self.backend.map(&mut job.work)
        });
        self.works.push(job.work);
        result
    }

    /// Computes only the style vector of each image.
    pub fn style(&mut self, images: &[B::Input<'_>], options: &Options) -> Vec<Result<Vec<f32>>> {
        self.run(images, options, &Watch::none(), |engine, job| engine.style_of(job))
    }

    /// Runs all images up to the network together, then calls `finish` for each.
    pub fn run<'a, T>(
        &mut self,
        images: &[B::Input<'a>],
        options: &Options,
        watch: &Watch,
        finish: impl Fn(&mut Self, &mut Job<'a, B>) -> Result<T>,
    ) -> Vec<Result<T>> {
        let begin = Instant::now();
        let mut jobs: Vec<_> = images.iter().map(|&image| Ok(self.job(image))).collect();
        if let Err(error) = self.begin(&mut jobs, options, watch) {
            fail(&mut jobs, &error);
        }
        watch.part(NETWORK, 1.0);
        watch.units(STAGES * jobs.len());
        share_time(&mut jobs, begin.elapsed());
        let finish_one = |job: Result<Job<'a, B>>| {
            let mut job = job?;
            job.begun = Instant::now();
            let result = enough_for(&mut job, |job| finish(self, job));
            self.works.push(job.work);
            result
        };
        let results = jobs.into_iter().map(finish_one).collect();
        watch.finish();
        results
    }

    fn job<'a>(&mut self, input: B::Input<'a>) -> Job<'a, B> {
        let (work, size) = (self.works.pop().unwrap_or_default(), input.size());
        let (time, begun) = (Duration::ZERO, Instant::now());
        Job { work, input, image: size, scale: 1.0, small: size, diameter: 0.0, time, begun }
    }

    /// Finds the diameter of each image, then runs the network at the scale that follows from it. An error of one image
    /// stays that image's; the result is an error of all.
    fn begin(&mut self, jobs: &mut [Result<Job<B>>], options: &Options, watch: &Watch) -> Result<()> {
        let model = f64::from(self.model.diam_mean());
        let known = known(&self.model, options.diameter);
        each(jobs, |job| {
            if let Some((scale, diameter)) = known {
                job.diameter = diameter;
                job.set_scale(scale);
            }
            watch.check()?;
            self.prepare(job, options)
        });
        if known.is_none() {
            self.estimate_diameters(jobs, options, watch)?;
            watch.part(NETWORK * 2.0 / 3.0, NETWORK);
            each(jobs, |job| {
                job.set_scale(model / job.diameter);
                self.backend.check_memory(job, options)
            });
        } else {
            watch.part(0.0, NETWORK);
        }
        self.network(jobs, options, watch)
    }

    /// The stages before the network, which do not depend on the scale.
    fn prepare(&mut self, job: &mut Job<B>, options: &Options) -> Result<()> {
        self.backend.check_memory(job, options)?;
        self.backend.channels(&mut job.work, job.input, options)?;
        match options.normalize.enabled {
            true => self.backend.normalize(&mut job.work, job.input, options),
            false => Ok(()),
        }
    }

    /// Runs the network on all images that have no error yet.
    fn network(&mut self, jobs: &mut [Result<Job<B>>], options: &Options, watch: &Watch) -> Result<()> {
        let mut good = good(jobs);
        let Some(first) = good.first().map(|job| job.describe()) else { return Ok(()) };
        enough(|| first, || self.backend.network(&mut good, options, watch))
    }

    /// Finds the masks of an image, once the network has run. They are left in `job`, and are empty in the result.
    pub fn find(&mut self, job: &mut Job<B>, options: &Options, watch: &Watch) -> Result<Segmented> {
        let size = match options.compute_masks {
            true => self.masks(job, options, watch)?,
            false => self.maps_only(job, options)?,
        };
        let Engine { backend, .. } = self;
        let (mut flows, mut cellprob) = Default::default();
        if options.flows {
            (flows, cellprob) = backend.maps(&mut job.work, size)?;
        }
        let style = self.style_of(job)?;
        let (diameter, time) = (job.diameter, job.time + job.begun.elapsed());
        Ok(Segmented { size, flows, cellprob, style, masks: Vec::new(), sums: Vec::new(), diameter, time })
    }

    fn masks(&mut self, job: &mut Job<B>, options: &Options, watch: &Watch) -> Result<Size> {
        let Job { work, image, scale, small, .. } = job;
        Self::stages_after_network(&mut self.backend, work, (*image, *small, *scale), options, watch)
    }

    /// The maps at the size that is returned, for results without masks.
    fn maps_only(&mut self, job: &mut Job<B>, options: &Options) -> Result<Size> {
        let size = if options.resample { job.image } else { job.small };
        if size != job.small && options.flows {
            self.backend.resize_maps(&mut job.work, job.small, size)?;
        }
        Ok(size)
    }

    /// The style vector of an image, once the network has run.
    ///
    /// # Errors
    /// [`Error::Image`] when an output of the network is not finite: the backend's style is NaN then.
    fn style_of(&mut self, job: &mut Job<B>) -> Result<Vec<f32>> {
        let style = self.backend.style(&mut job.work)?;
        match style.iter().all(|value| value.is_finite()) {
            true => Ok(style),
            false => Err(Error::not_finite_output()),
        }
    }

    /// The stages after the network. Flows are followed, clustered and checked at the size that is returned; the masks
    /// are then scaled to the image, filled and dropped there.
    pub fn stages_after_network(
        backend: &mut B,
        work: &mut B::Work,
        (image, small, scale): (Size, Size, f64),
        options: &Options,
        watch: &Watch,
    ) -> Result<Size> {
        let size = if options.resample { image } else { small };
        if size != small {
            backend.resize_maps(work, small, size)?;
        }
        watch.add(1)?;
        backend.follow(work, size, options.steps(scale), options, watch)?;
        watch.add(1)?;
        backend.cluster(work, size, options.max_size_fraction, watch)?;
        watch.add(1)?;
        if options.flow_threshold > 0.0 {
            backend.drop_bad_flows(work, size, options.flow_threshold, watch)?;
        }
        watch.add(1)?;
        if size != image {
            backend.resize_labels(work, size, image)?;
        }
        if !options.keep_parts && options.compat == Compat::None {
            backend.keep_largest_parts(work, image, watch)?;
        }
        watch.check()?;
        backend.fill_holes_and_drop_small(work, image, options.min_size, options.compat, watch)?;
        if options.exclude_on_edges {
            backend.drop_edges(work, image)?;
        }
        Ok(size)
    }

    /// Cellpose's `SizeModel.eval`: the style vector gives a first diameter; the masks at that scale give the final one.
    /// Both passes use the default thresholds and tiles, and keep all parts of masks, as cellpose does.
    fn estimate_diameters(
        &mut self,
        jobs: &mut [Result<Job<B>>],
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let model = self.model.clone();
        let size_model = model.some_size_model()?;
        let Options { channels, all_channels, augment, batch_size, compat, memory, .. } = *options;
        let options = Options {
            channels,
            all_channels,
            augment,
            batch_size,
            compat,
            memory,
            flows: false,
            keep_parts: true,
            resample: false,
            sampling: Sampling::Nearest,
            ..Options::default()
        };
        let scale = f64::from(model.diam_mean()) / f64::from(model.diam_labels());
        each(jobs, |job| {
            job.set_scale(scale);
            self.backend.check_memory(job, &options)
        });
        watch.part(0.0, NETWORK / 3.0);
        self.network(jobs, &options, watch)?;
        each(jobs, |job| {
            // Of a style that is not finite comes the model's diameter; the last run of the network finds the error.
            let style = self.backend.style(&mut job.work)?;
            job.set_scale(size_model.diam_mean() / size_model.style_diameter(&style));
            self.backend.check_memory(job, &options)
        });
        watch.part(NETWORK / 3.0, NETWORK * 2.0 / 3.0);
        self.network(jobs, &options, watch)?;
        each(jobs, |job| {
            self.masks(job, &options, watch)?;
            let found = self.backend.diameter(&mut job.work, job.image)?;
            job.diameter = if found > 0.0 { found } else { size_model.diam_mean() };
            Ok(())
        });
        Ok(())
    }
}

impl<B: Backend> Job<'_, B> {
    fn set_scale(&mut self, scale: f64) {
        self.scale = scale;
        self.small = match scale == 1.0 {
            true => self.image,
            false => (scaled(self.image.0, scale), scaled(self.image.1, scale)),
        };
    }
}

fn good<'a, 'b, B: Backend>(jobs: &'b mut [Result<Job<'a, B>>]) -> Vec<&'b mut Job<'a, B>> {
    jobs.iter_mut().filter_map(|job| job.as_mut().ok()).collect()
}

/// Takes a step with each image that has no error yet. An error is that image's own.
fn each<'a, B: Backend>(
    jobs: &mut [Result<Job<'a, B>>],
    mut step: impl FnMut(&mut Job<'a, B>) -> Result<()>,
) {
    for job in jobs {
        if let Ok(good) = job
            && let Err(error) = enough_for(good, &mut step)
        {
            *job = Err(error);
        }
    }
}

/// Takes a step with an image, and makes it an error when there is too little memory for an array.
fn enough_for<'a, B: Backend, T>(
    job: &mut Job<'a, B>,
    step: impl FnOnce(&mut Job<'a, B>) -> Result<T>,
) -> Result<T> {
    let what = job.describe();
    enough(|| what, || step(job))
}

/// Gives each image its share of the time that the images took together: by the pixels that the network gets.
fn share_time<B: Backend>(jobs: &mut [Result<Job<B>>], time: Duration) {
    let pixels = |job: &Job<B>| (job.small.0 * job.small.1) as f64;
    let all: f64 = jobs.iter().flatten().map(pixels).sum();
    jobs.iter_mut().flatten().for_each(|job| job.time = time.mul_f64(pixels(job) / all));
}

/// Makes an error of the whole batch the error of each image that had none.
fn fail<B: Backend>(jobs: &mut [Result<Job<B>>], error: &Error) {
    jobs.iter_mut().filter(|job| job.is_ok()).for_each(|job| *job = Err(error.duplicate()));
}
