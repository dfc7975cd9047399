//! The scale at which the network gets an image.

use crate::{Diameter, Model};

/// The factor that scales cells to the diameter that the model's network expects; 1 where the diameter is not known
/// before the network has run.
pub(crate) fn known_scale(model: &Model, diameter: Diameter) -> f64 {
    known(model, diameter).map_or(1.0, |(scale, _)| scale)
}

/// The factor, and the diameter in pixels of the image; nothing where they are not known before the network has run.
pub(crate) fn known(model: &Model, diameter: Diameter) -> Option<(f64, f64)> {
    let expected = f64::from(model.diam_mean());
    let of_diameter = |pixels: f64| Some((expected / pixels, pixels));
    match diameter {
        Diameter::Pixels(pixels) => of_diameter(pixels),
        Diameter::Model => of_diameter(model.diameter().into()),
        Diameter::Scale(scale) => Some((scale, expected / scale)),
        Diameter::Auto => None,
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
