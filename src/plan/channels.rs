//! Checks of an image and of the channels chosen from it.

use ndarray::ArrayView3;

use crate::{Compat, Error, Options, Result};

/// The largest size of a pixel. Beyond it, sums over channels and differences of pixels would leave single precision;
/// numbers like -3.4e38 stand for missing pixels. `kernels/pixels.cuh` has the same number.
pub(crate) const MAX_PIXEL: f32 = 1e30;

/// Refuses a choice of channels (from 1; 0 stands for all or none) of which the image, with `has` channels, lacks one.
pub(crate) fn present(has: usize, choice: [usize; 2]) -> Result<()> {
    match choice.into_iter().find(|&channel| channel > has) {
        None => Ok(()),
        Some(channel) => Err(Error::Image(format!("has {has} channels, channel {channel} is not there"))),
    }
}

/// The channels, as [`present`] has them, that a network with `nchan` channels gets of an image that `has` so many.
///
/// cellpose 3.1.1 gives the network the only channel of an image whatever was chosen (`transforms.reshape`).
pub(crate) fn chosen(options: &Options, has: usize, nchan: usize) -> Result<[usize; 2]> {
    if !options.all_channels {
        let only = has == 1 && options.compat == Compat::V3_1_1;
        return Ok(if only { [0, 0] } else { options.channels });
    }
    match has > nchan {
        true => Err(Error::Image(format!(
            "has {has} channels, and the network takes {nchan} of them: choose which"
        ))),
        false => Ok([1, if has > 1 { 2 } else { 0 }]),
    }
}

/// Whether a pixel can be computed with: a number of at most [`MAX_PIXEL`].
pub(crate) fn is_pixel(value: f32) -> bool {
    value.abs() <= MAX_PIXEL
}

/// Refuses pixels that are not all finite and at most [`MAX_PIXEL`]; the error names the first that is not.
pub(crate) fn finite(pixels: ArrayView3<f32>) -> Result<()> {
    match pixels.indexed_iter().find(|&(_, &v)| !is_pixel(v)) {
        None => Ok(()),
        Some(((y, x, c), &v)) => Err(Error::not_finite([y, x, c], v)),
    }
}
