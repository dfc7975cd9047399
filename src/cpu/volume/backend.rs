//! The CPU as a backend of the pipeline of volumes.

use super::network::{Maps, add_orientation};
use super::{
    channels::channels_while, cluster::cluster_while, components, flow_error::drop_bad_flows_while,
    follow::Points, follow::follow_while, normalize::normalize_while, parts, resize, smooth::smooth_while,
    voxels,
};
use crate::cpu::backend::Cpu;
use crate::options::{Compat, Options};
use crate::plan::grid::Grid;
use crate::plan::memory::{Plan, pixels_of};
use crate::plan::volume::{MAPS, ORIENTATIONS, Orientation, Work};
use crate::volume::backend::{Job, Size, Volumes};
use crate::watch::Watch;
use crate::{Image, Result};

/// The arrays of a volume between two stages.
#[derive(Default)]
pub(crate) struct Volume {
    /// The maps, `[4, depth, height, width]`.
    maps: Vec<f32>,
    /// The style vectors of the planes of the last orientation, one behind the other.
    styles: Vec<f32>,
    points: Points,
    labels: Vec<u32>,
}

impl Volume {
    /// A volume whose maps, `[4, depth, height, width]`, come from elsewhere.
    pub fn of_maps(maps: Vec<f32>) -> Self {
        Volume { maps, ..Volume::default() }
    }
}

impl Volumes for Cpu {
    /// `[depth, height, width, nchan]`.
    type Channels = Vec<f32>;
    type Volume = Volume;

    fn check_memory(&mut self, job: &Job, options: &Options) -> Result<()> {
        let &Job { planes, image, small, .. } = job;
        let tiles = ORIENTATIONS.map(|orientation| Grid::of(orientation.planes(small).1, options).tile);
        let tile = tiles.into_iter().max_by_key(|(height, width)| height * width).unwrap_or_default();
        let (network, nchan) = (self.network_of(tile), self.unet().nchan());
        let pixels = planes.iter().map(|plane| pixels_of(plane)).sum();
        let (threads, batch) = (rayon::current_num_threads(), Cpu::batch(options));
        let plan = Plan::of_volume(&Work { image, small, nchan, pixels, threads, batch }, &network, options);
        plan.check(options, self.arena.bytes(), || format!("{},", job.describe()))
    }

    fn channels(&mut self, planes: &[&Image], options: &Options, watch: &Watch) -> Result<Vec<f32>> {
        let channels = channels_while(planes, options.channels, self.unet().nchan(), &|| watch.go_on())?;
        watch.check().map(|()| channels)
    }

    fn normalize(
        &mut self,
        channels: &mut Vec<f32>,
        size: Size,
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let (nchan, compat) = (self.unet().nchan(), options.compat);
        normalize_while(channels, size, nchan, &options.normalize, compat, &|| watch.go_on());
        watch.check()
    }

    fn resize_channels(
        &mut self,
        channels: Vec<f32>,
        from: Size,
        to: Size,
        watch: &Watch,
    ) -> Result<Vec<f32>> {
        let nchan = self.unet().nchan();
        let channels = resize::channels_while(channels, from, to, nchan, &|| watch.go_on());
        watch.check().map(|()| channels)
    }

    fn network(
        &mut self,
        channels: &Vec<f32>,
        volume: &mut Volume,
        size: Size,
        orientation: Orientation,
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let mut maps = Maps::new(&mut volume.maps, size, orientation);
        add_orientation(self, channels, &mut maps, &mut volume.styles, options, watch)
    }

    fn resize_maps(&mut self, volume: &mut Volume, from: Size, to: Size, watch: &Watch) -> Result<()> {
        let maps = std::mem::take(&mut volume.maps);
        volume.maps = resize::volumes_while(maps, from, to, &|| watch.go_on());
        watch.check()
    }

    fn smooth(&mut self, volume: &mut Volume, size: Size, sigma: [f64; 3], watch: &Watch) -> Result<()> {
        let flows = &mut volume.maps[..(MAPS - 1) * voxels(size)];
        smooth_while(flows, size, sigma, &|| watch.go_on());
        watch.check()
    }

    fn follow(
        &mut self,
        volume: &mut Volume,
        size: Size,
        niter: u32,
        options: &Options,
        watch: &Watch,
    ) -> Result<()> {
        let (flows, cellprob) = volume.maps.split_at((MAPS - 1) * voxels(size));
        let (threshold, sampling) = (options.cellprob_threshold, options.sampling);
        volume.points = follow_while(flows, cellprob, size, threshold, niter, sampling, &|| watch.go_on());
        watch.check()
    }

    fn cluster(
        &mut self,
        volume: &mut Volume,
        size: Size,
        max_size_fraction: f64,
        watch: &Watch,
    ) -> Result<()> {
        // Taking the points frees their memory before the next stages.
        let points = std::mem::take(&mut volume.points);
        volume.labels = cluster_while(&points, size, max_size_fraction, &|| watch.go_on());
        watch.check()
    }

    fn drop_bad_flows(
        &mut self,
        volume: &mut Volume,
        size: Size,
        anisotropy: f64,
        threshold: f64,
        watch: &Watch,
    ) -> Result<()> {
        let Volume { labels, maps, .. } = volume;
        let flows = &maps[..(MAPS - 1) * voxels(size)];
        drop_bad_flows_while(labels, size, flows, anisotropy, threshold, &|| watch.go_on());
        watch.check()
    }

    fn resize_labels(&mut self, volume: &mut Volume, from: Size, to: Size) -> Result<()> {
        volume.labels = resize::nearest(&volume.labels, from, to);
        Ok(())
    }

    fn keep_largest_parts(&mut self, volume: &mut Volume, size: Size, watch: &Watch) -> Result<()> {
        parts::keep_largest_parts_while(&mut volume.labels, size, &|| watch.go_on());
        watch.check()
    }

    fn fill_holes_and_drop_small(
        &mut self,
        volume: &mut Volume,
        size: Size,
        min_size: usize,
        compat: Compat,
        watch: &Watch,
    ) -> Result<()> {
        let go_on = &|| watch.go_on();
        components::fill_holes_and_drop_small_while(&mut volume.labels, size, min_size, compat, go_on);
        watch.check()
    }

    fn drop_edges(&mut self, volume: &mut Volume, size: Size) -> Result<()> {
        components::drop_edges(&mut volume.labels, size);
        Ok(())
    }

    fn styles(&mut self, volume: &mut Volume) -> Result<Vec<f32>> {
        Ok(std::mem::take(&mut volume.styles))
    }

    fn maps(&mut self, volume: &mut Volume, size: Size) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut flows = std::mem::take(&mut volume.maps);
        let cellprob = flows.split_off((MAPS - 1) * voxels(size));
        Ok((flows, cellprob))
    }

    fn labels(&mut self, volume: &mut Volume) -> Result<Vec<u32>> {
        Ok(std::mem::take(&mut volume.labels))
    }
}
