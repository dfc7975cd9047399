//! The image as the network sees it: `channels`, `normalize` and `resize`, a row of a tile at a time, so that no copy of
//! the image is made.

use std::ops::Range;

use super::channels::Channels;
use super::normalize::{self, Levels};
use super::resize::{Tap, between, taps};

/// An image at the network's scale.
pub struct Input<'a> {
    channels: Channels<'a>,
    /// Of each channel; none for pixels that are taken as they are.
    levels: &'a [Levels],
    /// From rows and columns of the image to those of the input, unless they are the same.
    taps: Option<(Vec<Tap>, Vec<Tap>)>,
}

/// Two rows of the image, which may be those that the next row of the input lies between too. For one input.
#[derive(Default)]
pub struct Scratch([Line; 2]);

/// Some columns of a row of the image, `[column, nchan]`.
#[derive(Default)]
struct Line {
    y: usize,
    columns: Range<usize>,
    values: Vec<f32>,
}

impl<'a> Input<'a> {
    /// An image of the size `from` at the size `to`, (height, width).
    pub fn new(
        channels: Channels<'a>,
        levels: &'a [Levels],
        from: (usize, usize),
        to: (usize, usize),
    ) -> Self {
        let taps = (from != to).then(|| (taps(from.0, to.0), taps(from.1, to.1)));
        Input { channels, levels, taps }
    }

    /// Some columns of a row, `[column, nchan]`.
    pub fn row(&self, y: usize, columns: Range<usize>, scratch: &mut Scratch, out: &mut [f32]) {
        match &self.taps {
            None => self.of_image(y, columns, out),
            Some((rows, taps)) => {
                let (y, taps) = (&rows[y], &taps[columns]);
                let [Some(first), Some(last)] = [taps.first(), taps.last()] else { return };
                let source = first.near..last.far + 1;
                let Scratch([upper, lower]) = scratch;
                if lower.y == y.near {
                    std::mem::swap(upper, lower);
                }
                self.read(upper, y.near, &source);
                self.read(lower, y.far, &source);
                between(
                    (&upper.values, &lower.values),
                    y.weight,
                    taps,
                    source.start,
                    self.channels.nchan,
                    out,
                );
            }
        }
    }

    fn read(&self, line: &mut Line, y: usize, columns: &Range<usize>) {
        if line.y != y || line.columns != *columns {
            (line.y, line.columns) = (y, columns.clone());
            line.values.resize(columns.len() * self.channels.nchan, 0.0);
            self.of_image(y, columns.clone(), &mut line.values);
        }
    }

    fn of_image(&self, y: usize, columns: Range<usize>, out: &mut [f32]) {
        self.channels.row(y, columns, out);
        normalize::apply(self.levels, out);
    }
}
