//! Segments images that are in the memory of a GPU, without a copy to the host.

use std::any::Any;

use super::DeviceImage;
use super::backend::Source;
use super::lane::CudaLane;
use crate::backend::Backend;
use crate::plan::grid::Shape;
use crate::plan::scale::known_scale;
use crate::segmentation::Segmentation;
use crate::watch::{Progress, Watch};
use crate::{Device, Error, Options, Result, Segmenter};

/// The result for an image on a GPU.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct OnDevice {
    /// The number of cells.
    pub cells: usize,
    /// The segmentation. Its masks are empty when they were written to the caller's memory on the GPU.
    pub segmentation: Segmentation,
}

impl Segmenter {
    /// Finds the cells of images whose pixels are in the memory of GPU number `ordinal`, on which the segmenter must
    /// run. Pixels are not copied to the host, and neither are the masks if the image has a place for them on the GPU.
    /// Tiles of several images go through the network together. Each image gets the same masks as from
    /// [`Segmenter::segment`].
    ///
    /// The pixels of an image are read after everything that is in the image's stream already, and what is put into the
    /// stream later runs after the labels are written. The call returns when the labels are written. `progress` is
    /// called as in [`Segmenter::segment_with_progress`].
    ///
    /// # Errors
    /// [`Error::Option`] for an option that is out of range or that the processor has to prepare pixels for
    /// ([`Normalize::sharpen_radius`](crate::Normalize), `smooth_radius` and `tile_norm_blocksize`), and
    /// [`Error::Device`] when the segmenter does not run on this GPU. Each image has a result of its own, which may be
    /// an error of [`Segmenter::segment`], or [`Error::Device`] for an address that is not in the GPU's memory or not a
    /// multiple of the value's bytes.
    ///
    /// # Safety
    /// Each [`DeviceImage`] must describe memory that really has its shape and strides. The memory must stay allocated
    /// until everything in the image's stream is done. The stream must belong to the GPU's primary context.
    pub unsafe fn segment_on_device(
        &self,
        ordinal: usize,
        images: &[DeviceImage],
        options: &Options,
        progress: &mut Progress,
    ) -> Result<Vec<Result<OnDevice>>> {
        self.check(options)?;
        if options.normalize.needs_planes() {
            let reason =
                "sharpening, smoothing and blocks run on the processor: give pixels in the host's memory";
            return Err(Error::option("normalize", reason));
        }
        let device = Device::Cuda(ordinal);
        if !self.lanes.devices().contains(&device) {
            return Err(Error::device(device, "the model was not loaded onto it"));
        }
        let mut taken = self.lanes.take_where(|lane| lane.device() == device);
        let lane: &mut dyn Any = taken.lane();
        let lane: &mut CudaLane = lane.downcast_mut().expect("all lanes of GPUs are of this type");
        Ok(lane.segment_all(images, known_scale(self.model(), options.diameter), options, progress))
    }
}

impl CudaLane {
    /// Segments the images in groups that have enough tiles to fill a batch. `scale` is the scale at which the network
    /// runs, as far as it is known before.
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
                let fits = have < batch as u64;
                have += Shape::at_scale(image.size(), scale, options).count();
                fits
            };
            let sources: Vec<Source> = images[first..].iter().take_while(fits).map(Source::Device).collect();
            let mut part = |done: f64| {
                go_on = progress((first as f64 + done * sources.len() as f64) / images.len() as f64);
                go_on
            };
            found.extend(self.segment_on_device(&sources, options, &Watch::new(&mut part)));
        }
        found
    }

    fn segment_on_device(
        &mut self,
        sources: &[Source],
        options: &Options,
        watch: &Watch,
    ) -> Vec<Result<OnDevice>> {
        self.0.run(sources, options, watch, |engine, job| {
            let mut found = engine.find(job, options, watch)?;
            let mut cells = None;
            match job.input {
                _ if !options.compute_masks => (),
                Source::Device(image) if let Some(to) = image.labels => {
                    cells = Some(engine.backend.write_labels(&mut job.work, image, to)?);
                }
                _ => found.masks = engine.backend.labels(&mut job.work)?,
            }
            if options.compute_masks && options.sums {
                let most = cells.or_else(|| found.masks.iter().copied().max());
                found.sums = engine.backend.sums(&job.work, job.input, most.unwrap_or(0))?;
            }
            let segmentation = found.into_segmentation(job.image);
            let cells = cells.map_or(segmentation.cells(), |cells| cells as usize);
            Ok(OnDevice { cells, segmentation })
        })
    }
}
