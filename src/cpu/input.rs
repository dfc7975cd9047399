//! The image as the network sees it: `channels`, `normalize` and `resize`, a row of a tile at a time, so that no copy of
//! the image is made.

use std::ops::Range;

use super::channels::Channels;
use super::normalize::{self, Levels};
use super::resize::{Tap, between, taps};

/// An image at the network's scale.
pub struct Input<'a> {
    channels: Channels<'a>,
    nchan: usize,
    /// Of each channel; none for pixels that are taken as they are.
    levels: &'a [Levels],
    /// From rows and columns of the image to those of the input, unless they are the same.
    taps: Option<(Vec<Tap>, Vec<Tap>)>,
}

/// Two rows of the image.
#[derive(Default)]
pub struct Scratch([Vec<f32>; 2]);

impl<'a> Input<'a> {
    /// An image of the size `from` at the size `to`, (height, width).
    pub fn new(
        channels: Channels<'a>,
        nchan: usize,
        levels: &'a [Levels],
        from: (usize, usize),
        to: (usize, usize),
    ) -> Self {
        let taps = (from != to).then(|| (taps(from.0, to.0), taps(from.1, to.1)));
        Input { channels, nchan, levels, taps }
    }

    /// Some columns of a row, `[column, nchan]`.
    pub fn row(&self, y: usize, columns: Range<usize>, scratch: &mut Scratch, out: &mut [f32]) {
        match &self.taps {
            None => self.of_image(y, columns, out),
            Some((rows, taps)) => {
                let (y, taps) = (&rows[y], &taps[columns]);
                let [Some(first), Some(last)] = [taps.first(), taps.last()] else { return };
                let source = first.near..last.far + 1;
                let line = |scratch: &mut Vec<f32>, y: usize| {
                    scratch.resize(source.len() * self.nchan, 0.0);
                    self.of_image(y, source.clone(), scratch);
                };
                let Scratch([upper, lower]) = scratch;
                line(upper, y.near);
                line(lower, y.far);
                between((upper, lower), y.weight, taps, source.start, self.nchan, out);
            }
        }
    }

    fn of_image(&self, y: usize, columns: Range<usize>, out: &mut [f32]) {
        self.channels.row(y, columns, out);
        normalize::apply(self.levels, out);
    }
}
