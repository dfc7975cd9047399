//! Cells of a volume: a stack of planes that the network sees from three sides (cellpose's `do_3D`).

pub(crate) mod backend;
pub(crate) mod pipeline;

use std::time::Duration;

use ndarray::{Array2, Array3, Array4};

use crate::plan::channels::chosen;
use crate::plan::scale::{known, known_scale};
use crate::plan::volume::{MAX_VOXELS, scaled_size, voxels};
use crate::watch::{Progress, Watch};
use crate::{Compat, Diameter, Error, Image, Options, Result, Segmenter, prepare};

/// What was found in a volume.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct VolumeSegmentation {
    /// `[depth, height, width]` of the volume: 0 is background, cells are numbered 1 to n in C order of their first voxels.
    pub masks: Array3<u32>,
    /// `[3, depth, height, width]`: the flows along z, y and x, each the sum over the two orientations that see it, smoothed by
    /// [`Options::flow3d_smooth`]. They have the size of the volume or, with `resample: false`, of the network's input; with
    /// `flows: false` they are empty.
    pub flows: Array4<f32>,
    /// `[depth, height, width]`, the size of the flows: the sum over the three orientations of the logit of the probability
    /// that a voxel is in a cell.
    pub cellprob: Array3<f32>,
    /// A row for each plane across x, which the network sees last: its style vector, of unit length.
    pub style: Array2<f32>,
    /// The diameter of the cells in pixels that the volume was scaled by.
    pub diameter: f64,
    /// How long the segmentation took in seconds, without loading the volume.
    pub seconds: f64,
}

/// Two segmentations are equal when the same was found. How long it took does not count.
impl PartialEq for VolumeSegmentation {
    fn eq(&self, other: &Self) -> bool {
        let VolumeSegmentation { masks, flows, cellprob, style, diameter, seconds: _ } = self;
        *masks == other.masks
            && *flows == other.flows
            && *cellprob == other.cellprob
            && *style == other.style
            && *diameter == other.diameter
    }
}

impl VolumeSegmentation {
    /// How many cells were found.
    pub fn cells(&self) -> usize {
        self.masks.iter().copied().max().unwrap_or(0) as usize
    }
}

/// What was found in a volume, before its arrays have shapes.
pub(crate) struct Found {
    pub image: [usize; 3],
    /// The size of the maps.
    pub size: [usize; 3],
    pub flows: Vec<f32>,
    pub cellprob: Vec<f32>,
    /// One style vector behind the other.
    pub style: Vec<f32>,
    pub masks: Vec<u32>,
    pub time: Duration,
}

impl Found {
    pub fn into_segmentation(self, style_length: usize, diameter: f64) -> VolumeSegmentation {
        let [depth, height, width] = if self.cellprob.is_empty() { [0; 3] } else { self.size };
        let shape = "a stage returned a vector of another length";
        VolumeSegmentation {
            masks: Array3::from_shape_vec(
                if self.masks.is_empty() { [0; 3] } else { self.image },
                self.masks,
            )
            .expect(shape),
            flows: Array4::from_shape_vec([3, depth, height, width], self.flows).expect(shape),
            cellprob: Array3::from_shape_vec([depth, height, width], self.cellprob).expect(shape),
            style: Array2::from_shape_vec((self.style.len() / style_length, style_length), self.style)
                .expect(shape),
            diameter,
            seconds: self.time.as_secs_f64(),
        }
    }
}

impl Segmenter {
    /// Whether [`Segmenter::segment_volume`] can do what the options ask for, as far as that does not depend on the volume.
    ///
    /// # Errors
    /// Those of [`Segmenter::check`]; [`Error::Option`] for [`Diameter::Auto`], since sizes are estimated from images only.
    pub fn check_volume(&self, options: &Options) -> Result<()> {
        if options.diameter == Diameter::Auto {
            return Err(Error::option("diameter", "cannot be estimated from a volume; give it in pixels"));
        }
        self.check(options)
    }

    /// Finds the cells of a volume, whose `planes` along z are all of one size: the network sees its planes across z, y and x,
    /// and the flows of all of them are followed in three dimensions. [`Options::anisotropy`] and [`Options::flow3d_smooth`]
    /// are for volumes; [`Options::flow3d_threshold`] takes the place of [`Options::flow_threshold`]; `min_size` counts voxels.
    ///
    #[cfg_attr(feature = "files", doc = "```no_run")]
    #[cfg_attr(not(feature = "files"), doc = "```ignore")]
    /// use flowmask::{Diameter, Model, Options, Segmenter, image};
    ///
    /// let stack = image::read("stack.tif".as_ref())?;
    /// let segmenter = Segmenter::builder().model(Model::named("nuclei")?).build()?;
    /// let options = Options::default().diameter(Diameter::Pixels(17.0)).anisotropy(2.0);
    /// let found = segmenter.segment_volume(&stack.planes, &options)?;
    /// println!("{} cells", found.cells());
    /// # Ok::<(), flowmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Segmenter::check_volume`]; [`Error::Image`] for fewer than two planes, planes of different sizes or numbers
    /// of channels, a volume of 2³² voxels or more, a channel that is not there, and a pixel that is not finite;
    /// [`Error::Memory`] when there is too little memory; [`Error::Device`] when a GPU fails, and for a volume of 2³¹ voxels or
    /// more on a GPU.
    pub fn segment_volume<'i>(
        &self,
        planes: impl IntoIterator<Item = &'i Image>,
        options: &Options,
    ) -> Result<VolumeSegmentation> {
        self.volume(planes.into_iter().collect(), options, &Watch::none())
    }

    /// Like [`Segmenter::segment_volume`], and calls `progress` as [`Segmenter::segment_with_progress`] does: after each tile
    /// of all three orientations.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment_volume`], and [`Error::Cancelled`] when `progress` returns `false`.
    pub fn segment_volume_with_progress<'i, 'a>(
        &self,
        planes: impl IntoIterator<Item = &'i Image>,
        options: &Options,
        progress: &'a mut Progress<'a>,
    ) -> Result<VolumeSegmentation> {
        self.volume(planes.into_iter().collect(), options, &Watch::new(progress))
    }

    fn volume(&self, planes: Vec<&Image>, options: &Options, watch: &Watch) -> Result<VolumeSegmentation> {
        self.check_volume(options)?;
        let scale = known_scale(self.model(), options.diameter);
        check(&planes, scale, options)?;
        let mut options = self.of_volume(planes[0], options)?;
        let mut taken = self.lanes.take();
        let device = taken.lane().device();
        let prepared = prepare::of_volume(&planes, &options, (self.pool(), device), watch)?;
        let mut planes = planes;
        if let Some((prepared, left)) = &prepared {
            planes = prepared.iter().collect();
            options = left.clone();
        }
        let found = taken.lane().volume(&planes, scale, &options, watch)?;
        let diameter = known(self.model(), options.diameter).map_or(0.0, |(_, diameter)| diameter);
        let style_length = self.model().network().nbase.last().copied().unwrap_or(1);
        Ok(found.into_segmentation(style_length, diameter))
    }

    /// The options of a volume with a plane like this one, in which the channels are chosen.
    fn of_volume(&self, plane: &Image, options: &Options) -> Result<Options> {
        let channels = chosen(options, plane.channels(), self.model().network().nbase[0])?;
        // As in the original, all planes of a volume are scaled together.
        let together = options.normalize.norm3d || options.compat == Compat::V3_1_1;
        let normalize = options.normalize.norm3d(together);
        Ok(Options { channels, all_channels: false, normalize, ..options.clone() })
    }
}

/// Refuses planes that are no volume.
fn check(planes: &[&Image], scale: f64, options: &Options) -> Result<()> {
    let [first, second, ..] = planes else {
        let reason = format!("has {} of the two planes that a volume needs at least", planes.len());
        return Err(Error::Image(reason));
    };
    let about = |plane: &Image| (plane.size(), plane.channels());
    if let Some(z) = planes.iter().position(|plane| about(plane) != about(first)) {
        let ((height, width), channels) = about(planes[z]);
        let reason =
            format!("plane {z} has {height} by {width} pixels of {channels} channels, unlike the first");
        return Err(Error::Image(reason));
    }
    let size = [planes.len(), second.height(), second.width()];
    if voxels(size).max(voxels(scaled_size(size, scale, options.anisotropy))) > MAX_VOXELS {
        return Err(Error::Image(
            "is a volume of 4294967296 voxels or more at the scale of the network".into(),
        ));
    }
    Ok(())
}
