//! The input of the network: `channels`, `normalize` and `resize` in one pass, a row of a tile at a time, so that the
//! image is not copied.

use std::ops::Range;

use super::channels::Channels;
use super::normalize::{self, Levels};
use super::resize::{Neighbours, between, neighbours};

/// An image at the network's scale.
pub struct Input<'a> {
    channels: Channels<'a>,
    /// One for each channel; empty when the pixels are not normalised.
    levels: &'a [Levels],
    /// For each row and each column of the input, those of the image between which it lies; `None` at the same size.
    neighbours: Option<(Vec<Neighbours>, Vec<Neighbours>)>,
}

/// The two rows of the image that were read last; the next row often needs them too. Each [`Input`] needs its own.
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
    /// An image of the size `from` (height, width), resized to `to`. `levels` has one entry a channel, or none.
    pub fn new(
        channels: Channels<'a>,
        levels: &'a [Levels],
        from: (usize, usize),
        to: (usize, usize),
    ) -> Self {
        let neighbours = (from != to).then(|| (neighbours(from.0, to.0), neighbours(from.1, to.1)));
        Input { channels, levels, neighbours }
    }

    /// Writes the `columns` of row `y` of the input to `out`, `[column, nchan]`.
    pub fn row(&self, y: usize, columns: Range<usize>, scratch: &mut Scratch, out: &mut [f32]) {
        match &self.neighbours {
            None => self.of_image(y, columns, out),
            Some((rows, all_columns)) => {
                let (y, columns) = (&rows[y], &all_columns[columns]);
                let [Some(first), Some(last)] = [columns.first(), columns.last()] else { return };
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
                    columns,
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
