//! Masks from the caller's own flows.

use std::time::Instant;

use ndarray::{ArrayView2, ArrayView3};

use crate::backend::Backend;
use crate::cpu::{Cpu, Work};
use crate::memory::{enough, room};
use crate::pipeline::{Engine, STAGES, Segmented};
use crate::plan::memory::{Network, Plan, Work as Planned};
use crate::watch::{Progress, Watch};
use crate::{Error, Options, Result, Segmentation, Segmenter};

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
            cpu.labels(&mut work)
        };
        let masks = enough(what, || self.pool().install(run))?;
        watch.finish();
        let (flows, cellprob, style) = Default::default();
        let found = Segmented { size, flows, cellprob, style, masks, diameter: 0.0, time: start.elapsed() };
        Ok(found.into_segmentation(size))
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
    match flows.iter().chain(cellprob).find(|value| !value.is_finite()) {
        Some(value) => Err(Error::Image(format!("the flows or cellprob have a value that is {value}"))),
        None => Ok((height, width)),
    }
}
