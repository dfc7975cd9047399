//! Images in the memory of a GPU: pixels to masks without a way through the host.

use std::any::Any;

use super::DeviceImage;
use super::backend::Source;
use super::lane::CudaLane;
use crate::backend::Backend;
use crate::plan::grid::Grid;
use crate::plan::scale::known_scale;
use crate::segmentation::Segmentation;
use crate::watch::{Progress, Watch};
use crate::{Device, Error, Options, Result, Segmenter};

/// What was found in an image on a GPU.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct OnDevice {
    /// How many cells.
    pub cells: usize,
    /// The rest. Its masks are empty when they went to the caller's memory on the GPU.
    pub segmentation: Segmentation,
}

impl Segmenter {
    /// Finds the cells of images whose pixels are on a GPU that the segmenter runs on: nothing but what is asked for
    /// goes through the host. Tiles of several images go through the network together. Each image gets the masks that
    /// [`Segmenter::segment`] gives it.
    ///
    /// The pixels are read after the work that is in the image's stream, and work that is put into it after the call
    /// comes after the labels. The call itself waits until the labels are there. `progress` is as in
    /// [`Segmenter::segment_with_progress`].
    ///
    /// # Errors
    /// [`Error::Option`], and [`Error::Device`] when the segmenter does not run on the GPU. Each image has its own
    /// result, with the errors of [`Segmenter::segment`], and [`Error::Device`] for an address that is not in the GPU's
    /// memory or not a multiple of what lies there.
    ///
    /// # Safety
    /// Pixels and labels have the shapes and strides that the images say, and stay until the work in the stream is done;
    /// the stream is one of the GPU's primary context.
    pub unsafe fn segment_on_device(
        &self,
        ordinal: usize,
        images: &[DeviceImage],
        options: &Options,
        progress: &mut Progress,
    ) -> Result<Vec<Result<OnDevice>>> {
        options.check()?;
        let device = Device::Cuda(ordinal);
        if !self.lanes.devices().contains(&device) {
            return Err(Error::device(device, "the model was not loaded onto it"));
        }
        let mut taken = self.lanes.take_where(|lane| lane.device() == device);
        let lane: &mut dyn Any = taken.lane();
        let lane: &mut CudaLane = lane.downcast_mut().expect("all lanes of GPUs are of this type");
        Ok(lane.segment_all(
            images,
            known_scale(self.model().diam_mean(), options.diameter),
            options,
            progress,
        ))
    }
}

impl CudaLane {
    /// As many images at a time as fill the GPU.
    fn segment_all(
        &mut self,
        images: &[DeviceImage],
        scale: f64,
        options: &Options,
        progress: &mut Progress,
    ) -> Vec<Result<OnDevice>> {
        let batch = self.0.backend.batch(options);
        let (mut found, mut go_on) = (Vec::with_capacity(images.len()), true);
        while found.len() < images.len() {
            if !go_on {
                found.push(Err(Error::Cancelled));
                continue;
            }
            let (first, mut have) = (found.len(), 0);
            let fits = |image: &&DeviceImage| {
                let fits = have < batch;
                have += Grid::count_of(image.size(), scale, options);
                fits
            };
            let sources: Vec<Source> = images[first..].iter().take_while(fits).map(Source::Device).collect();
            let mut part = |done: f64| {
                go_on = progress((first as f64 + done * sources.len() as f64) / images.len() as f64);
                go_on
            };
            found.extend(self.segment_on_device(&sources, options, &mut Watch::new(&mut part)));
        }
        found
    }

    fn segment_on_device(
        &mut self,
        sources: &[Source],
        options: &Options,
        watch: &mut Watch,
    ) -> Vec<Result<OnDevice>> {
        self.0.run(sources, options, watch, |engine, job| {
            let mut found = engine.find(job, options)?;
            let mut given = None;
            match job.input {
                Source::Device(image) if let Some(to) = image.labels => {
                    given = Some(engine.backend.give_labels(&mut job.work, image, to)?);
                }
                _ => found.masks = engine.backend.labels(&mut job.work)?,
            }
            let segmentation = found.into_segmentation(job.image);
            let cells = given.map_or(segmentation.cells(), |cells| cells as usize);
            Ok(OnDevice { cells, segmentation })
        })
    }
}
