//! Which images and channels can be taken.

use ndarray::ArrayView3;

use crate::{Error, Result};

/// Refuses channels that are not there.
pub(crate) fn present(has: usize, choice: [usize; 2]) -> Result<()> {
    match choice.into_iter().find(|&channel| channel > has) {
        None => Ok(()),
        Some(channel) => Err(Error::Image(format!("has {has} channels, channel {channel} is not there"))),
    }
}

/// Refuses the first pixel that is not finite.
pub(crate) fn finite(pixels: ArrayView3<f32>) -> Result<()> {
    match pixels.indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some(((y, x, c), &v)) => Err(Error::not_finite([y, x, c], v)),
    }
}
