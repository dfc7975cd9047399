//! Stored pixels to the channels of the network, `[height, width, nchan]` in single precision.

use ndarray::{ArrayView1, ArrayView3};

use crate::{Error, Image, Pixels, Result};

/// The network's channels of an image. `choice` is the channel to segment and the channel of the nuclei:
/// 0 is the mean of all channels for the first and none for the second (numerics of `transforms.reshape`).
/// A network of one channel takes the first of the two.
///
/// # Errors
/// [`Error::Image`] when a channel is not there or a pixel is not finite.
pub fn channels(image: &Image, choice: [usize; 2], nchan: usize) -> Result<Vec<f32>> {
    present(image.channels(), choice)?;
    match image.pixels() {
        Pixels::U8(a) => Ok(choose(a.view(), choice, nchan)),
        Pixels::U16(a) => Ok(choose(a.view(), choice, nchan)),
        Pixels::F32(a) => {
            finite(a.view())?;
            Ok(choose(a.view(), choice, nchan))
        }
    }
}

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
        Some(((y, x, c), v)) => {
            Err(Error::Image(format!("the pixel at row {y}, column {x}, channel {} is {v}", c + 1)))
        }
    }
}

fn choose<T: Copy + Into<f32>>(pixels: ArrayView3<T>, choice: [usize; 2], nchan: usize) -> Vec<f32> {
    let mut chosen = Vec::with_capacity(pixels.dim().0 * pixels.dim().1 * nchan);
    for pixel in pixels.rows() {
        chosen.push(match choice[0] {
            0 => mean(pixel),
            c => pixel[c - 1].into(),
        });
        if nchan == 2 {
            chosen.push(match choice[1] {
                0 => 0.0,
                c => pixel[c - 1].into(),
            });
        }
    }
    chosen
}

fn mean<T: Copy + Into<f32>>(pixel: ArrayView1<T>) -> f32 {
    pixel.iter().map(|&v| v.into()).sum::<f32>() / pixel.len() as f32
}
