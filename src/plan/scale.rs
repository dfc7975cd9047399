//! From the image's scale to the network's.

use crate::Diameter;

/// The factor to the scale of a network that knows cells of `diam_mean` pixels; 1 where the diameter is not known before
/// the network has run.
pub(crate) fn known_scale(diam_mean: f32, diameter: Diameter) -> f64 {
    match diameter {
        Diameter::Pixels(pixels) => f64::from(diam_mean) / pixels,
        Diameter::Model | Diameter::Auto => 1.0,
    }
}

/// The side of an image scaled by `scale`: rounded down, but at least a pixel (the original fails at 0).
pub fn scaled(side: usize, scale: f64) -> usize {
    ((side as f64 * scale) as usize).max(1)
}

/// Source pixels for one of the destination, with OpenCV's roundings: it divides the sides and takes the inverse.
pub(crate) fn step(from: usize, to: usize) -> f64 {
    1.0 / (to as f64 / from as f64)
}
