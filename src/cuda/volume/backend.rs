//! Runs the stages of the pipeline of volumes on a GPU.

use super::cluster::{self, cluster};
use super::components::{drop_edges, fill_holes_and_drop_small};
use super::flow_error::drop_bad_flows;
use super::follow::{Points, follow};
use super::normalize::normalize;
use super::parts::keep_largest_parts;
use super::smooth::smooth;
use super::{resize, voxels};
use crate::cpu::volume::channels::check;
use crate::cuda::backend::Cuda;
use crate::cuda::channels::{Raw, channels};
use crate::cuda::{Buffer, Pinned};
use crate::memory::zeros;
use crate::options::{Compat, Options};
use crate::plan::memory::pixels_of;
use crate::plan::volume::on_gpu::OnGpu;
use crate::plan::volume::{MAPS, Orientation};
use crate::volume::backend::{Job, Size, Volumes};
use crate::watch::Watch;
use crate::{Error, Image, Result};

/// The arrays of a volume between two stages. What one stage alone needs is freed behind it, since volumes are large.
#[derive(Default)]
pub(crate) struct Volume {
    /// The maps, `[4, depth, height, width]`.
    maps: Buffer<f32>,
    /// The style vectors of the planes of the last orientation, `[planes, style length]`.
    styles: Buffer<f32>,
    points: Points,
    labels: Buffer<u32>,
    /// No label in `labels` exceeds this.
    max_label: u32,
}

impl Cuda {
    /// Waits for the stage, which is long for the GPU, so that progress is that of the GPU and a stop comes soon.
    fn wait(&self, watch: &Watch) -> Result<()> {
        watch.check()?;
        self.gpu.synchronize()?;
        watch.check()
    }
}

impl Volumes for Cuda {
    /// `[depth, height, width, nchan]`.
    type Channels = Buffer<f32>;
    type Volume = Volume;

    fn check_memory(&mut self, job: &Job, options: &Options) -> Result<()> {
        // The first step of a volume, perhaps on a new thread.
        self.gpu.context().bind_to_thread().map_err(|e| self.gpu.error(e))?;
        let &Job { planes, image, small } = job;
        let networks = [Some(&self.unet), self.ortho.as_ref()].into_iter().flatten();
        let weights = networks.map(|unet| unet.bytes() as u64).sum();
        let plan = OnGpu {
            plane: planes.first().map_or(0, |plane| pixels_of(plane)),
            image,
            small,
            nchan: self.unet.nchan() as u64,
            nout: self.unet.nout() as u64,
            style: self.unet.style_length() as u64,
            batch: self.batch(options) as u64,
            weights,
        };
        if plan.most_voxels(options) > OnGpu::MAX_VOXELS {
            let reason = format!("{}, has more voxels than a GPU can number", job.describe());
            return Err(Error::device(self.gpu.device(), reason));
        }
        let needed = plan.bytes(options);
        let limit = match options.memory {
            Some(limit) => limit,
            None => {
                self.forget_images()?;
                // The weights are there.
                self.gpu.free_memory()? as u64 + weights
            }
        };
        match needed > limit {
            true => {
                let what = format!("{}: {},", self.gpu.device(), job.describe());
                Err(Error::memory(what, needed, limit))
            }
            false => Ok(()),
        }
    }

    fn channels(&mut self, planes: &[&Image], options: &Options, watch: &Watch) -> Result<Buffer<f32>> {
        let (gpu, nchan) = (&self.gpu, self.unet.nchan());
        check(planes, options.channels, nchan)?;
        let (mut all, mut raw, mut own) = (Buffer::new(), Raw::default(), Buffer::new());
        // While one plane is on its way, the host copies the next.
        let mut pinned = [Pinned::default(), Pinned::default()];
        for (z, plane) in planes.iter().enumerate() {
            watch.check()?;
            let len = plane.height() * plane.width() * nchan;
            if z == 0 {
                all.resize(gpu, planes.len() * len)?;
            }
            raw.upload(gpu, plane.pixels(), &mut pinned[z % 2])?;
            channels(gpu, &raw, plane.size(), plane.channels(), options.channels, nchan, &mut own)?;
            own.copy_to(gpu, 0, &mut all, z * len, len)?;
        }
        Ok(all)
    }

    fn normalize(
        &mut self,
        channels: &mut Buffer<f32>,
        size: Size,
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let (nchan, how) = (self.unet.nchan(), (&options.normalize, options.compat));
        normalize(&self.gpu, channels, size, nchan, how, &mut Default::default())?;
        self.wait(watch)
    }

    fn resize_channels(
        &mut self,
        channels: Buffer<f32>,
        from: Size,
        to: Size,
        watch: &Watch,
    ) -> Result<Buffer<f32>> {
        let mut out = Buffer::new();
        resize::channels(&self.gpu, &channels, from, to, self.unet.nchan(), &mut out)?;
        self.wait(watch)?;
        Ok(out)
    }

    fn network(
        &mut self,
        channels: &Buffer<f32>,
        volume: &mut Volume,
        size: Size,
        orientation: Orientation,
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let Volume { maps, styles, .. } = volume;
        self.add_orientation(channels, (size, orientation), (maps, styles), options, watch)
    }

    fn resize_maps(&mut self, volume: &mut Volume, from: Size, to: Size, watch: &Watch) -> Result<()> {
        let mut out = Buffer::new();
        resize::volumes(&self.gpu, &volume.maps, from, to, MAPS, &mut out)?;
        volume.maps = out;
        self.wait(watch)
    }

    fn smooth(&mut self, volume: &mut Volume, size: Size, sigma: [f64; 3], watch: &Watch) -> Result<()> {
        smooth(&self.gpu, &mut volume.maps, MAPS - 1, size, sigma, &mut Default::default())?;
        self.wait(watch)
    }

    fn follow(
        &mut self,
        volume: &mut Volume,
        size: Size,
        niter: u32,
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let (threshold, sampling) = (options.cellprob_threshold, options.sampling);
        let Volume { maps, points, .. } = volume;
        follow(&self.gpu, maps, size, threshold, niter, sampling, points, &mut Default::default())?;
        self.wait(watch)
    }

    fn cluster(
        &mut self,
        volume: &mut Volume,
        size: Size,
        max_size_fraction: f64,
        watch: &Watch,
    ) -> Result<()> {
        let points = std::mem::take(&mut volume.points);
        let Volume { labels, max_label, .. } = volume;
        *max_label = cluster::max_label(size);
        cluster(&self.gpu, &points, size, max_size_fraction, labels, &mut Default::default())?;
        self.wait(watch)
    }

    fn drop_bad_flows(
        &mut self,
        volume: &mut Volume,
        size: Size,
        anisotropy: f64,
        threshold: f64,
        watch: &Watch,
    ) -> Result<()> {
        let Volume { labels, maps, max_label, .. } = volume;
        let how = (&*maps, anisotropy, threshold);
        drop_bad_flows(&self.gpu, labels, size, *max_label, how, &mut Default::default())?;
        self.wait(watch)
    }

    fn resize_labels(&mut self, volume: &mut Volume, from: Size, to: Size) -> Result<()> {
        let mut out = Buffer::new();
        resize::nearest(&self.gpu, &volume.labels, from, to, &mut out)?;
        volume.labels = out;
        Ok(())
    }

    fn keep_largest_parts(&mut self, volume: &mut Volume, size: Size, watch: &Watch) -> Result<()> {
        let Volume { labels, max_label, .. } = volume;
        keep_largest_parts(&self.gpu, labels, size, *max_label, &mut Default::default())?;
        self.wait(watch)
    }

    fn fill_holes_and_drop_small(
        &mut self,
        volume: &mut Volume,
        size: Size,
        min_size: usize,
        compat: Compat,
        watch: &Watch,
    ) -> Result<()> {
        let Volume { labels, max_label, .. } = volume;
        let scratch = &mut Default::default();
        fill_holes_and_drop_small(&self.gpu, labels, size, *max_label, (min_size, compat), scratch)?;
        self.wait(watch)
    }

    fn drop_edges(&mut self, volume: &mut Volume, size: Size) -> Result<()> {
        let Volume { labels, max_label, .. } = volume;
        drop_edges(&self.gpu, labels, size, *max_label, &mut Default::default())
    }

    fn styles(&mut self, volume: &mut Volume) -> Result<Vec<f32>> {
        volume.styles.download(&self.gpu)
    }

    fn maps(&mut self, volume: &mut Volume, size: Size) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut flows = zeros(MAPS * voxels(size));
        volume.maps.download_to(&self.gpu, &mut flows)?;
        let cellprob = flows.split_off((MAPS - 1) * voxels(size));
        Ok((flows, cellprob))
    }

    fn labels(&mut self, volume: &mut Volume) -> Result<Vec<u32>> {
        let mut labels = zeros(volume.labels.len());
        volume.labels.download_to(&self.gpu, &mut labels)?;
        Ok(labels)
    }
}
