//! The straight line from images to their masks, on any backend.

use crate::backend::{Backend, Input, Job, Size};
use crate::model::Model;
use crate::plan::scale::scaled;
use crate::watch::Watch;
use crate::{Compat, Diameter, Error, Options, Result, Sampling};

/// The part of an image's time that the network takes, roughly: progress is reported by it.
const NETWORK: f64 = 0.9;

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
    pub diameter: f64,
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
        watch: &mut Watch,
    ) -> Vec<Result<Segmented>> {
        self.run(images, options, watch, |engine, job| {
            let mut found = engine.find(job, options)?;
            found.masks = engine.backend.labels(&mut job.work)?;
            Ok(found)
        })
    }

    /// Computes only the style vector of each image.
    pub fn style(&mut self, images: &[B::Input<'_>], options: &Options) -> Vec<Result<Vec<f32>>> {
        self.run(images, options, &mut Watch::none(), |engine, job| engine.style_of(job))
    }

    /// Runs all images up to the network together, then calls `finish` for each.
    pub fn run<'a, T>(
        &mut self,
        images: &[B::Input<'a>],
        options: &Options,
        watch: &mut Watch,
        finish: impl Fn(&mut Self, &mut Job<'a, B>) -> Result<T>,
    ) -> Vec<Result<T>> {
        let mut jobs: Vec<_> = images.iter().map(|&image| self.prepare(image, options)).collect();
        if let Err(error) = self.begin(&mut good(&mut jobs), options, watch) {
            fail(&mut jobs, &error);
        }
        watch.part(NETWORK, 1.0);
        let count = jobs.len();
        let finish_one = |(i, job): (usize, Result<Job<'a, B>>)| {
            let mut job = job?;
            watch.at(i, count)?;
            let result = finish(self, &mut job);
            self.works.push(job.work);
            result
        };
        jobs.into_iter().enumerate().map(finish_one).collect()
    }

    fn prepare<'a>(&mut self, input: B::Input<'a>, options: &Options) -> Result<Job<'a, B>> {
        let mut work = self.works.pop().unwrap_or_default();
        self.backend.channels(&mut work, input, options)?;
        if options.normalize.enabled {
            self.backend.normalize(&mut work, input, options)?;
        }
        let size = input.size();
        Ok(Job { work, input, image: size, scale: 1.0, small: size, diameter: 0.0 })
    }

    /// Finds the diameter of each image, then runs the network at the scale that follows from it.
    fn begin(&mut self, jobs: &mut [&mut Job<B>], options: &Options, watch: &mut Watch) -> Result<()> {
        let model = f64::from(self.model.diam_mean());
        match options.diameter {
            Diameter::Model => jobs.iter_mut().for_each(|job| job.diameter = self.model.diameter().into()),
            Diameter::Pixels(pixels) => jobs.iter_mut().for_each(|job| job.diameter = pixels),
            Diameter::Auto => self.estimate_diameters(jobs, options, watch)?,
        }
        jobs.iter_mut().for_each(|job| job.set_scale(model / job.diameter));
        let before = if options.diameter == Diameter::Auto { 2.0 / 3.0 } else { 0.0 };
        watch.part(NETWORK * before, NETWORK);
        self.backend.network(jobs, options, watch)
    }

    /// Finds the masks of an image, once the network has run. They are left in `job`, and are empty in the result.
    pub fn find(&mut self, job: &mut Job<B>, options: &Options) -> Result<Segmented> {
        let size = self.masks(job, options)?;
        let Engine { backend, .. } = self;
        let (mut flows, mut cellprob) = Default::default();
        if options.flows {
            flows = backend.maps(&mut job.work)?;
            cellprob = flows.split_off(2 * size.0 * size.1);
        }
        let style = self.style_of(job)?;
        Ok(Segmented { size, flows, cellprob, style, masks: Vec::new(), diameter: job.diameter })
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
    fn masks(&mut self, job: &mut Job<B>, options: &Options) -> Result<Size> {
        let Engine { backend, .. } = self;
        let Job { work, image, scale, small, .. } = job;
        let size = if options.resample { *image } else { *small };
        if size != *small {
            backend.resize_maps(work, *small, size)?;
        }
        let niter = match (options.niter, options.resample) {
            (Some(niter), _) => niter,
            (None, false) => 200,
            (None, true) => (1.0 / *scale * 200.0) as u32,
        };
        backend.follow(work, size, niter, options)?;
        backend.cluster(work, size, options.max_size_fraction)?;
        if options.flow_threshold > 0.0 {
            backend.drop_bad_flows(work, size, options.flow_threshold)?;
        }
        if size != *image {
            backend.resize_labels(work, size, *image)?;
        }
        if !options.keep_parts && options.compat == Compat::None {
            backend.keep_largest_parts(work, *image)?;
        }
        backend.fill_holes_and_drop_small(work, *image, options.min_size, options.compat)?;
        if options.exclude_on_edges {
            backend.drop_edges(work, *image)?;
        }
        Ok(size)
    }

    /// Cellpose's `SizeModel.eval`: the style vector gives a first diameter; the masks at that scale give the final one.
    /// Both passes use the default thresholds and tiles, and keep all parts of masks, as cellpose does.
    fn estimate_diameters(
        &mut self,
        jobs: &mut [&mut Job<B>],
        options: &Options,
        watch: &mut Watch,
    ) -> Result<()> {
        let model = self.model.clone();
        let size_model = model.some_size_model()?;
        let (augment, batch_size, compat) = (options.augment, options.batch_size, options.compat);
        let options = Options {
            augment,
            batch_size,
            compat,
            keep_parts: true,
            resample: false,
            sampling: Sampling::Nearest,
            ..Options::default()
        };
        let scale = f64::from(model.diam_mean()) / f64::from(model.diam_labels());
        jobs.iter_mut().for_each(|job| job.set_scale(scale));
        watch.part(0.0, NETWORK / 3.0);
        self.backend.network(jobs, &options, watch)?;
        for job in jobs.iter_mut() {
            // Of a style that is not finite comes the model's diameter; the last run of the network finds the error.
            let style = self.backend.style(&mut job.work)?;
            job.set_scale(size_model.diam_mean() / size_model.style_diameter(&style));
        }
        watch.part(NETWORK / 3.0, NETWORK * 2.0 / 3.0);
        self.backend.network(jobs, &options, watch)?;
        for job in jobs.iter_mut() {
            self.masks(job, &options)?;
            let found = self.backend.diameter(&mut job.work, job.image)?;
            job.diameter = if found > 0.0 { found } else { size_model.diam_mean() };
        }
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

/// Makes an error of the whole batch the error of each image that had none.
fn fail<B: Backend>(jobs: &mut [Result<Job<B>>], error: &Error) {
    jobs.iter_mut().filter(|job| job.is_ok()).for_each(|job| *job = Err(error.duplicate()));
}
