//! What a segmenter finds in an image.

use ndarray::{Array, Array1, Array2, Array3, Dimension};

use crate::backend::Size;
use crate::measure::Sums;
use crate::pipeline::Segmented;

/// What was found in an image. The default is empty: the place for a result of
/// [`Segmenter::segment_into`](crate::Segmenter::segment_into).
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct Segmentation {
    /// `[height, width]` of the image: 0 is background, cells are numbered 1 to n in row-major order of their first
    /// pixels.
    pub masks: Array2<u32>,
    /// `[2, height, width]`: the network's flows along y and along x; in cells, about five times a unit vector. They have the size
    /// of the image or, with `resample: false`, of the network's input; with `flows: false` they are empty.
    pub flows: Array3<f32>,
    /// `[height, width]`, the size of the flows: the logit of the probability that a pixel is in a cell.
    pub cellprob: Array2<f32>,
    /// The style vector: unit length, one number for each channel of the network's deepest map (256).
    pub style: Array1<f32>,
    /// What is summed over each cell of the image that was given, in the order of the labels; empty unless
    /// [`Options::sums`](crate::Options::sums) asks for it. Of an image whose pixels are sharpened, smoothed or scaled in blocks
    /// before, intensities are left out.
    pub sums: Vec<Sums>,
    /// The diameter of the cells in pixels that the image was scaled by.
    pub diameter: f64,
    /// How long the segmentation of this image took in seconds, without loading it and without waiting for other images.
    /// When tiles of several images went through the network together, this is the image's share.
    pub seconds: f64,
}

/// Two segmentations are equal when the same was found. How long it took does not count.
impl PartialEq for Segmentation {
    fn eq(&self, other: &Self) -> bool {
        let Segmentation { masks, flows, cellprob, style, sums, diameter, seconds: _ } = self;
        *masks == other.masks
            && *flows == other.flows
            && *cellprob == other.cellprob
            && *style == other.style
            && *sums == other.sums
            && *diameter == other.diameter
    }
}

impl Segmentation {
    /// How many cells were found.
    pub fn cells(&self) -> usize {
        self.masks.iter().copied().max().unwrap_or(0) as usize
    }
}

impl Segmented {
    /// Gives the vectors their shapes. `image` is the size of the image.
    pub(crate) fn into_segmentation(self, image: Size) -> Segmentation {
        let masks = if self.masks.is_empty() { (0, 0) } else { image };
        let (height, width) = if self.cellprob.is_empty() { (0, 0) } else { self.size };
        Segmentation {
            masks: array(masks, self.masks),
            flows: array((2, height, width), self.flows),
            cellprob: array((height, width), self.cellprob),
            style: Array1::from(self.style),
            sums: self.sums,
            diameter: self.diameter,
            seconds: self.time.as_secs_f64(),
        }
    }
}

/// A vector of the pipeline, whose length is that of the shape.
fn array<T, S, D>(shape: S, values: Vec<T>) -> Array<T, D>
where
    S: Into<ndarray::StrideShape<D>>,
    D: Dimension,
{
    Array::from_shape_vec(shape, values).expect("a stage returned a vector of another length")
}
