//! The scale at which the network gets an image.

use crate::Diameter;

/// The factor that scales cells to the diameter that the network expects, `diam_mean` pixels; 1 where the diameter is
/// not known before the network has run.
pub(crate) fn known_scale(diam_mean: f32, diameter: Diameter) -> f64 {
    match diameter {
        Diameter::Pixels(pixels) => f64::from(diam_mean) / pixels,
        Diameter::Model | Diameter::Auto => 1.0,
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
