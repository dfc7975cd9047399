//! Stored pixels to the channels of the network, `[height, width, nchan]` in single precision.

use std::ops::Range;

use ndarray::ArrayView3;

use crate::image::pixel::each;
use crate::{Error, Image, Pixels, Result};

/// The network's channels of an image, looked up where they are wanted.
#[derive(Clone, Copy)]
pub struct Channels<'a> {
    pixels: &'a Pixels,
    choice: [usize; 2],
    pub(super) nchan: usize,
}

impl<'a> Channels<'a> {
    /// `choice` is the channel to segment and the channel of the nuclei: 0 is the mean of all channels for the first
    /// and none for the second (numerics of `transforms.reshape`). A network of one channel takes the first of the
    /// two.
    ///
    /// # Errors
    /// [`Error::Image`] when a channel is not there.
    pub fn of(image: &'a Image, choice: [usize; 2], nchan: usize) -> Result<Self> {
        present(image.channels(), choice)?;
        Ok(Channels { pixels: image.pixels(), choice, nchan })
    }

    /// Refuses an image with a pixel that is not finite.
    ///
    /// # Errors
    /// [`Error::Image`] says where it is.
    pub fn check(&self) -> Result<()> {
        match self.pixels {
            Pixels::U8(_) | Pixels::U16(_) => Ok(()),
            Pixels::F32(a) => finite(a.view()),
        }
    }

    /// Some columns of a row, `[column, nchan]`.
    pub fn row(&self, y: usize, columns: Range<usize>, out: &mut [f32]) {
        each!(self.pixels, Pixels(array) => self.choose(array.view(), y, columns, out));
    }

    fn choose<T: Copy + Into<f32>>(
        &self,
        pixels: ArrayView3<T>,
        y: usize,
        columns: Range<usize>,
        out: &mut [f32],
    ) {
        let (_, width, channels) = pixels.dim();
        let row = pixels.to_slice().expect("an image lies row by row");
        let row = &row[(y * width + columns.start) * channels..(y * width + columns.end) * channels];
        for (pixel, out) in row.chunks_exact(channels).zip(out.chunks_exact_mut(self.nchan)) {
            out[0] = match self.choice[0] {
                0 => mean(pixel),
                c => pixel[c - 1].into(),
            };
            if self.nchan == 2 {
                out[1] = match self.choice[1] {
                    0 => 0.0,
                    c => pixel[c - 1].into(),
                };
            }
        }
    }
}

/// All of [`Channels`].
///
/// # Errors
/// [`Error::Image`] when a channel is not there or a pixel is not finite.
pub fn channels(image: &Image, choice: [usize; 2], nchan: usize) -> Result<Vec<f32>> {
    let channels = Channels::of(image, choice, nchan)?;
    channels.check()?;
    let mut all = vec![0.0; image.height() * image.width() * nchan];
    for (y, row) in all.chunks_exact_mut(image.width() * nchan).enumerate() {
        channels.row(y, 0..image.width(), row);
    }
    Ok(all)
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
        Some(((y, x, c), &v)) => Err(Error::not_finite([y, x, c], v)),
    }
}

fn mean<T: Copy + Into<f32>>(pixel: &[T]) -> f32 {
    pixel.iter().map(|&v| v.into()).sum::<f32>() / pixel.len() as f32
}
