//! The network's channels from the stored pixels: `[height, width, nchan]` in single precision.

use std::ops::Range;

use ndarray::ArrayView3;

use super::normalize::Levels;
use crate::image::pixel::each;
use crate::memory::zeros;
use crate::plan::channels::{chosen, finite, present};
use crate::{Compat, Image, Options, Pixels, Result};

/// The network's channels of an image. They are read from its pixels when needed, without a copy.
#[derive(Clone, Copy)]
pub struct Channels<'a> {
    pixels: &'a Pixels,
    choice: [usize; 2],
    pub(super) nchan: usize,
}

impl<'a> Channels<'a> {
    /// `choice` is the channel to segment and the channel of the nuclei, both counted from 1. As the first, 0 means the
    /// mean of all channels; as the second, 0 means no channel, which is zeros (`transforms.reshape`). A network with
    /// one channel (`nchan` is 1) takes only the first.
    ///
    /// # Errors
    /// [`Error::Image`](crate::Error::Image) when the image does not have a channel.
    pub fn of(image: &'a Image, choice: [usize; 2], nchan: usize) -> Result<Self> {
        present(image.channels(), choice)?;
        Ok(Channels { pixels: image.pixels(), choice, nchan })
    }

    /// Those that the options choose.
    pub(crate) fn chosen(image: &'a Image, options: &Options, nchan: usize) -> Result<Self> {
        Channels::of(image, chosen(options, image.channels(), nchan)?, nchan)
    }

    /// Leaves zeros of the channel that the image does not have. The original scales it by `lowhigh`.
    pub(crate) fn leave_absent(&self, levels: &mut [Levels], compat: Compat) {
        if self.choice[1] == 0 && compat == Compat::None {
            levels.iter_mut().skip(1).for_each(|levels| *levels = Levels::ZEROS);
        }
    }

    /// Checks that all pixels are finite.
    ///
    /// # Errors
    /// [`Error::Image`](crate::Error::Image) names the first pixel that is not finite.
    pub fn check(&self) -> Result<()> {
        match self.pixels {
            Pixels::U8(_) | Pixels::U16(_) => Ok(()),
            Pixels::F32(a) => finite(a.view()),
        }
    }

    /// Writes the `columns` of row `y` to `out`, `[column, nchan]`.
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

/// The channels of the whole image, `[height, width, nchan]`; for `choice` see [`Channels::of`].
///
/// # Errors
/// [`Error::Image`](crate::Error::Image) when the image does not have a channel, or a pixel is not finite.
pub fn channels(image: &Image, choice: [usize; 2], nchan: usize) -> Result<Vec<f32>> {
    let channels = Channels::of(image, choice, nchan)?;
    channels.check()?;
    let mut all = zeros(image.height() * image.width() * nchan);
    for (y, row) in all.chunks_exact_mut(image.width() * nchan).enumerate() {
        channels.row(y, 0..image.width(), row);
    }
    Ok(all)
}

fn mean<T: Copy + Into<f32>>(pixel: &[T]) -> f32 {
    pixel.iter().map(|&v| v.into()).sum::<f32>() / pixel.len() as f32
}
