//! What was found in an image, as a segmenter returns it.

use ndarray::{Array, Array1, Array2, Array3, Dimension};

use crate::backend::Size;
use crate::pipeline::Segmented;

/// What was found in an image.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// `[height, width]` of the image: 0 is background, cells are 1 to n in the order in which their first
    /// pixel comes in memory.
    pub masks: Array2<u32>,
    /// `[2, height, width]`: flow along y and along x, five times a unit vector, at the image's scale, or at
    /// the network's with `resample: false`; empty with `flows: false`.
    pub flows: Array3<f32>,
    /// `[height, width]`, of the flows: the logit of being in a cell.
    pub cellprob: Array2<f32>,
    /// The style vector: unit length, one number a channel of the deepest map (256).
    pub style: Array1<f32>,
    /// The diameter that the image was scaled by, in pixels.
    pub diameter: f64,
}

impl Segmentation {
    /// How many cells.
    pub fn cells(&self) -> usize {
        self.masks.iter().copied().max().unwrap_or(0) as usize
    }
}

impl Segmented {
    /// With the shapes of the arrays.
    pub(crate) fn shaped(self, image: Size) -> Segmentation {
        let of_masks = if self.masks.is_empty() { (0, 0) } else { image };
        let (height, width) = if self.cellprob.is_empty() { (0, 0) } else { self.size };
        Segmentation {
            masks: shaped(of_masks, self.masks),
            flows: shaped((2, height, width), self.flows),
            cellprob: shaped((height, width), self.cellprob),
            style: Array1::from(self.style),
            diameter: self.diameter,
        }
    }
}

/// The pipeline's vectors have the lengths that their shapes say.
fn shaped<T, S, D>(shape: S, values: Vec<T>) -> Array<T, D>
where
    S: Into<ndarray::StrideShape<D>>,
    D: Dimension,
{
    Array::from_shape_vec(shape, values).expect("a stage returned a vector of another length")
}
