//! Stacks whose planes are segmented one by one, and whose masks are then joined to masks of a volume.

use std::sync::Mutex;

use ndarray::ArrayViewMut2;

use crate::cpu::stitch::{check_threshold, drop_small, stitch_within};
use crate::memory::{enough, require};
use crate::watch::{Progress, Watch};
use crate::{Error, Image, Normalize, Options, Result, Segmentation, Segmenter, prepare};

/// How the planes of a stack become a volume (the original's `stitch_threshold`): intensities are scaled by the percentiles
/// of all planes together, each plane is segmented, and the masks of neighbouring planes that overlap become one.
///
/// [`Segmenter::segment_stack`] takes all steps; with [`Segmenter::segment_many`] they are taken one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Stitching {
    threshold: f64,
    options: Options,
}

impl Stitching {
    /// Masks become one if their intersection over union is at least `threshold`, from 0 to 1. `options` are
    /// those of the planes; their `min_size` counts the pixels of a mask in all planes.
    ///
    /// # Errors
    /// [`Error::Option`].
    pub fn new(threshold: f64, options: &Options) -> Result<Self> {
        check_threshold(threshold)?;
        options.check()?;
        Ok(Stitching { threshold, options: options.clone() })
    }

    /// The options for the planes that [`Stitching::prepare`] returns.
    pub fn options(&self) -> Options {
        let options = self.options.clone().min_size(0);
        match (options.normalize.enabled, self.left()) {
            (false, _) => options,
            (true, Some(left)) if !left.normalize.enabled => left.min_size(0),
            (true, _) => {
                let normalize = Normalize::default().enabled(false);
                // With all channels, those of the planes are as many as those of the images.
                options.channels([1, 2]).normalize(normalize)
            }
        }
    }

    /// The planes of a volume with their intensities scaled: the percentiles of the chosen channels in all planes
    /// become 0 and 1, or what else [`Normalize`] says. Without normalisation, the planes as they are. In a volume of
    /// more than 224³ pixels, percentiles are taken from a grid of pixels, as in the original.
    ///
    /// # Errors
    /// [`Error::Image`] for fewer than two planes, planes of different sizes, a channel that is not there, and a pixel that
    /// is not finite; [`Error::Memory`] when there is too little.
    pub fn prepare(&self, planes: Vec<Image>) -> Result<Vec<Image>> {
        let Some(first) = planes.first().filter(|_| planes.len() > 1) else {
            return Err(Error::one_plane(planes.len()));
        };
        let (height, width) = first.size();
        if planes.iter().any(|plane| plane.size() != (height, width)) {
            return Err(Error::Image("planes of different sizes cannot be stitched".into()));
        }
        if !self.options.normalize.enabled {
            return Ok(planes);
        }
        let what = || format!("{} planes of {height} by {width} pixels", planes.len());
        enough(what, || {
            let pixels = planes.len().saturating_mul(height * width);
            require(pixels as u64 * size_of::<[f32; 2]>() as u64, self.options.memory);
            let all: Vec<&Image> = planes.iter().collect();
            // A channel that is not chosen stays zeros.
            let nchan = if self.options.all_channels { prepare::nchan(&all, &self.options) } else { 2 };
            prepare::together(&planes, &self.options, nchan, &Watch::none())
        })
    }

    /// What is left of the options behind steps for which planes are prepared; nothing where there are none.
    fn left(&self) -> Option<Options> {
        // A volume has at least two planes.
        prepare::needed(&self.options, 2).then(|| prepare::left(&self.options, 2))
    }

    /// Joins what was found in the planes of a volume: their masks get the labels of the volume, of which those of fewer
    /// pixels than `min_size` are dropped. Returns the number of cells.
    ///
    /// # Errors
    /// Those of [`stitch`](crate::stitch).
    pub fn finish(&self, planes: &mut [Segmentation]) -> Result<u32> {
        if !self.options.compute_masks {
            return Ok(0);
        }
        // The sums of planes are not those of the cells that are joined.
        planes.iter_mut().for_each(|found| found.sums.clear());
        let mut masks: Vec<ArrayViewMut2<u32>> =
            planes.iter_mut().map(|found| found.masks.view_mut()).collect();
        stitch_within(&mut masks, self.threshold, self.options.compat, self.options.memory)?;
        Ok(drop_small(&mut masks, self.options.min_size))
    }
}

impl Segmenter {
    /// Finds the cells of a volume, from the masks of its planes (the original's `stitch_threshold`; [`Stitching`] says
    /// how). A cell has the same label in all planes. `progress` is called as in [`Segmenter::segment_with_progress`].
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`], [`Stitching::new`], [`Stitching::prepare`] and [`Stitching::finish`].
    pub fn segment_stack(
        &self,
        planes: Vec<Image>,
        threshold: f64,
        options: &Options,
        progress: &mut Progress,
    ) -> Result<Vec<Segmentation>> {
        self.check(options)?;
        let stitching = Stitching::new(threshold, options)?;
        let planes = self.pool().install(|| stitching.prepare(planes))?;
        let (count, options) = (planes.len(), stitching.options());
        let found = Mutex::new((0..count).map(|_| None).collect::<Vec<_>>());
        let mut part = |done: f64| progress(done / count as f64);
        let done = |z: usize, result: Result<(Vec<Image>, Vec<Segmentation>)>| {
            let result = result.map(|(_, mut found)| found.remove(0));
            found.lock().unwrap_or_else(|e| e.into_inner())[z] = Some(result);
        };
        let loads = planes.into_iter().map(|plane| move || Ok(vec![plane]));
        self.segment_many_with_progress(loads, &options, &mut part, done)?;
        let found = found.into_inner().unwrap_or_else(|e| e.into_inner());
        let mut found: Vec<Segmentation> =
            found.into_iter().map(|found| found.unwrap_or(Err(Error::Cancelled))).collect::<Result<_>>()?;
        self.pool().install(|| stitching.finish(&mut found))?;
        Ok(found)
    }
}
