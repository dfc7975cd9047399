//! The scale at which the network gets an image.

use crate::{Diameter, Model};

/// The factor that scales cells to the diameter that the model's network expects; 1 where the diameter is not known
/// before the network has run.
pub(crate) fn known_scale(model: &Model, diameter: Diameter) -> f64 {
    match diameter {
        Diameter::Pixels(pixels) => f64::from(model.diam_mean()) / pixels,
        Diameter::Model => f64::from(model.diam_mean()) / f64::from(model.diameter()),
        Diameter::Auto => 1.0,
    }
}

/// The height or width of an image scaled by `scale`: rounded down, but at least 1 (the original fails at 0).
pub fn scaled(length: usize, scale: f64) -> usize {
    ((length as f64 * scale) as usize).max(1)
}

/// Pixels of the source for each pixel of the destination. It rounds as OpenCV does, which inverts `to / from`.
pub(crate) fn step(from: usize, to: usize) -> f64 {
    1.0 / (to as f64 / from as f64)
}
