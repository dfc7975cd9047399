//! Masks from the caller's own flows.

use std::time::Instant;

use ndarray::{ArrayView2, ArrayView3, ArrayView4};

use crate::backend::Backend;
use crate::cpu::volume::Volume;
use crate::cpu::{Cpu, Work};
use crate::memory::{enough, room};
use crate::pipeline::{Engine, STAGES, Segmented};
use crate::plan::memory::{Network, Plan, Work as Planned};
use crate::plan::volume::{MAPS, MAX_VOXELS, Work as PlannedVolume, voxels};
use crate::volume::backend::Volumes;
use crate::volume::{Found, pipeline};
use crate::watch::{Progress, Watch};
use crate::{Error, Options, Result, Segmentation, Segmenter, VolumeSegmentation};

impl Segmenter {
    /// Finds the cells in `flows`, `[2, height, width]` (along y, then along x; in cells, about five times a unit vector),
    /// and `cellprob`, `[height, width]`, that come from elsewhere: from a network of your own, or from
    /// a [`Segmentation`] with other options (the original's `dynamics.compute_masks`). It runs on the
    /// processor. The result has masks of `[height, width]`; its flows, cellprob and style are empty, and its diameter is 0.
    ///
    /// Of the options, those after the network have an effect: thresholds, `niter`, `sampling`, `min_size`,
    /// `max_size_fraction`, `keep_parts`, `exclude_on_edges` and `compat`. Without `niter`, 200 steps are taken, as by the
    /// original; [`Segmenter::segment`] takes `200 · diameter / diam_mean`. `progress` is called as in
    /// [`Segmenter::segment_with_progress`].
    ///
    /// # Errors
    /// [`Error::Option`] for an option out of its range, [`Error::Image`] for arrays without pixels, of different sizes, with
    /// 2³¹ pixels or more, or with a value that is not finite, [`Error::Memory`] when there is too little memory,
    /// [`Error::Cancelled`], [`Error::Forked`].
    pub fn masks_from_flows<'a>(
        &self,
        flows: ArrayView3<f32>,
        cellprob: ArrayView2<f32>,
        options: &Options,
        progress: &'a mut Progress<'a>,
    ) -> Result<Segmentation> {
        self.pool().check()?;
        options.check()?;
        let size = check(flows, cellprob)?;
        let watch = Watch::new(progress);
        watch.units(STAGES);
        let start = Instant::now();
        let what = || format!("masks from flows of {} by {} pixels", size.0, size.1);
        check_memory(size, options, self.pool().threads(), what)?;
        let run = || {
            let mut maps = room(3 * size.0 * size.1);
            maps.extend(flows.iter().chain(cellprob).copied());
            watch.check()?;
            let mut work = Work::of_maps(maps);
            let mut cpu = Cpu::without_network();
            Engine::stages_after_network(&mut cpu, &mut work, (size, size, 1.0), options, &watch)?;
            Backend::labels(&mut cpu, &mut work)
        };
        let masks = enough(what, || self.pool().install(run))?;
        watch.finish();
        let (flows, cellprob, style, sums) = Default::default();
        let found =
            Segmented { size, flows, cellprob, style, masks, sums, diameter: 0.0, time: start.elapsed() };
        Ok(found.into_segmentation(size))
    }

    /// Like [`Segmenter::masks_from_flows`], for a volume: `flows` are `[3, depth, height, width]` (along z, y and x), and
    /// `cellprob` is `[depth, height, width]`, as a [`VolumeSegmentation`] has them. The result has masks of
    /// `[depth, height, width]`.
    ///
    /// Flows are read as in [`Segmenter::segment_volume`]; [`Options::flow3d_smooth`], [`Options::flow3d_threshold`] and, for
    /// the latter, [`Options::anisotropy`] have an effect too.
    ///
    /// # Errors
    /// Those of [`Segmenter::masks_from_flows`]; [`Error::Image`] for 2³² voxels or more, and for fewer than two planes.
    pub fn masks_from_flows_volume<'a>(
        &self,
        flows: ArrayView4<f32>,
        cellprob: ArrayView3<f32>,
        options: &Options,
        progress: &'a mut Progress<'a>,
    ) -> Result<VolumeSegmentation> {
        self.pool().check()?;
        options.check()?;
        let options = &options.clone().compute_masks(true);
        let size = check_volume(flows, cellprob)?;
        let watch = Watch::new(progress);
        watch.units(pipeline::STAGES);
        let start = Instant::now();
        let what = || format!("masks from flows of {} planes of {} by {} pixels", size[0], size[1], size[2]);
        let network = Network { nout: 3, ..Network::default() };
        let threads = self.pool().threads();
        let work = PlannedVolume { image: size, small: size, nchan: 0, pixels: 0, threads, batch: 0 };
        Plan::of_volume(&work, &network, options).check(options, 0, what)?;
        let run = || {
            let mut maps = room(MAPS * cellprob.len());
            maps.extend(flows.iter().chain(cellprob).copied());
            watch.check()?;
            let (mut cpu, mut volume) = (Cpu::without_network(), Volume::of_maps(maps));
            pipeline::stages_after_network(&mut cpu, &mut volume, (size, size, 1.0), options, &watch)?;
            Volumes::labels(&mut cpu, &mut volume)
        };
        let masks = enough(what, || self.pool().install(run))?;
        watch.finish();
        let (flows, cellprob, style) = Default::default();
        let found = Found { image: size, size, flows, cellprob, style, masks, time: start.elapsed() };
        Ok(found.into_segmentation(1, 0.0))
    }
}

/// Refuses arrays whose masks take more memory than the options allow or is free. The arrays themselves are the caller's.
fn check_memory(
    size: (usize, usize),
    options: &Options,
    threads: usize,
    what: impl FnOnce() -> String,
) -> Result<()> {
    let network = Network { nout: 3, ..Network::default() };
    let work = Planned { image: size, small: size, others: 0, threads, batch: 0 };
    Plan::of(&work, &network, options).check(options, 0, what)
}

/// Checks the arrays, and returns their height and width.
fn check(flows: ArrayView3<f32>, cellprob: ArrayView2<f32>) -> Result<(usize, usize)> {
    let (height, width) = cellprob.dim();
    if flows.dim() != (2, height, width) {
        let reason = format!(
            "flows of {:?} and cellprob of {height} by {width} pixels do not belong together",
            flows.dim()
        );
        return Err(Error::Image(reason));
    }
    if height == 0 || width == 0 || height.checked_mul(width).is_none_or(|pixels| pixels >= 1 << 31) {
        return Err(Error::Image(format!("flows of {height} by {width} pixels are too large, or empty")));
    }
    finite(flows.iter().chain(cellprob))?;
    Ok((height, width))
}

/// Checks the arrays of a volume, and returns their size.
fn check_volume(flows: ArrayView4<f32>, cellprob: ArrayView3<f32>) -> Result<[usize; 3]> {
    let (depth, height, width) = cellprob.dim();
    let size = [depth, height, width];
    let planes = || format!("{depth} planes of {height} by {width} pixels");
    if flows.dim() != (3, depth, height, width) {
        let flows = flows.dim();
        let reason = format!("flows of {flows:?} and cellprob of {} do not belong together", planes());
        return Err(Error::Image(reason));
    }
    if depth < 2 || !(1..=MAX_VOXELS).contains(&voxels(size)) {
        let reason =
            format!("flows of {} are no volume: fewer than two planes, empty, or too large", planes());
        return Err(Error::Image(reason));
    }
    finite(flows.iter().chain(cellprob))?;
    Ok(size)
}

fn finite<'a>(mut values: impl Iterator<Item = &'a f32>) -> Result<()> {
    match values.find(|value| !value.is_finite()) {
        Some(value) => Err(Error::Image(format!("the flows or cellprob have a value that is {value}"))),
        None => Ok(()),
    }
}
