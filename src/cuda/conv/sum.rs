//! A convolution with all that stands before and after it.

use super::super::{Buffer, Gpu};
use super::{Act, GROUP, Last, Map, Weights};
use crate::Result;

/// How many tiles, and their size at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Tiles.
    pub count: usize,
    /// Rows of each.
    pub height: usize,
    /// Columns of each.
    pub width: usize,
}

impl Size {
    /// Pixels of all tiles.
    pub fn pixels(&self) -> usize {
        self.count * self.height * self.width
    }

    /// Whether 2×2 pixels lie side by side.
    pub(super) fn even(&self) -> bool {
        (self.height | self.width).is_multiple_of(2)
    }
}

/// A row for each tile, `stride` apart (0: one row for all), that begins at `at`.
#[derive(Debug)]
pub struct Rows<'a, T> {
    /// What they are in.
    pub table: &'a T,
    /// Where the first begins.
    pub at: usize,
    /// From a tile's row to the next tile's.
    pub stride: usize,
}

impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// One row for all tiles.
    pub fn one(table: &'a T) -> Self {
        Rows { table, at: 0, stride: 0 }
    }

    /// Values that must be there for so many tiles.
    pub(super) fn end(&self, count: usize, len: usize) -> usize {
        self.at + count.saturating_sub(1) * self.stride + len
    }
}

/// `start + bias + conv3x3(act(src)) + proj(x)`, then ReLU and 2×2 maxima if asked for.
#[derive(Clone, Debug)]
pub struct ConvSum<'a> {
    pub(super) src: &'a Map,
    pub(super) weights: &'a Weights,
    pub(super) up: bool,
    pub(super) act: Option<(&'a Map, Rows<'a, Map>)>,
    pub(super) bias: Rows<'a, Buffer<f32>>,
    pub(super) proj: Option<(&'a Map, bool)>,
    pub(super) skip: Option<(&'a Map, &'a Buffer<f32>)>,
    pub(super) accumulate: bool,
    pub(super) relu: bool,
    pub(super) stages: Option<usize>,
    pub(super) pooled: Option<&'a Map>,
    pub(super) last: Option<(&'a Last, &'a Buffer<f32>)>,
}

impl<'a> ConvSum<'a> {
    /// The convolution and its bias.
    pub fn of(src: &'a Map, weights: &'a Weights) -> Self {
        ConvSum {
            src,
            weights,
            up: false,
            act: None,
            bias: Rows::one(&weights.bias),
            proj: None,
            skip: None,
            accumulate: false,
            relu: false,
            stages: None,
            pooled: None,
            last: None,
        }
    }

    /// Convolves `relu(scale · src + shift)`.
    pub fn act(self, act: &'a Act) -> Self {
        ConvSum { act: Some((&act.scale, Rows::one(&act.shift))), ..self }
    }

    /// The same with a shift of its own for each tile.
    pub fn act_of_tile(self, scale: &'a Map, shift: Rows<'a, Map>) -> Self {
        ConvSum { act: Some((scale, shift)), ..self }
    }

    /// Takes the source at twice its size.
    pub fn up(self, up: bool) -> Self {
        ConvSum { up, ..self }
    }

    /// Another bias.
    pub fn bias(self, bias: Rows<'a, Buffer<f32>>) -> Self {
        ConvSum { bias, ..self }
    }

    /// Adds what the destination holds.
    pub fn accumulate(self) -> Self {
        ConvSum { accumulate: true, ..self }
    }

    /// Adds a map with a factor a channel.
    pub fn skip(self, map: &'a Map, scale: &'a Buffer<f32>) -> Self {
        ConvSum { skip: Some((map, scale)), ..self }
    }

    /// The map, `up` at twice its size, whose projection is among the weights.
    pub fn proj(self, map: &'a Map, up: bool) -> Self {
        ConvSum { proj: Some((map, up)), ..self }
    }

    /// Takes the ReLU of the sum.
    pub fn relu(self) -> Self {
        ConvSum { relu: true, ..self }
    }

    /// Keeps so many slices in shared memory, 2 or 3, instead of as many as the card has room for.
    pub fn stages(self, stages: usize) -> Self {
        ConvSum { stages: Some(stages), ..self }
    }

    /// Computes the sum.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn write(self, gpu: &Gpu, size: Size, out: &mut Map) -> Result<()> {
        self.launch(gpu, size, out)
    }

    /// Computes the sum and the maxima of its 2×2 pixels.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn write_pooled(self, gpu: &Gpu, size: Size, out: &mut Map, pooled: &mut Map) -> Result<()> {
        assert!(size.even() && pooled.len() >= size.pixels() / 4 * self.weights.outputs);
        ConvSum { pooled: Some(pooled), ..self }.launch(gpu, size, out)
    }

    /// Computes the network's last layer on the sum, `[tile, output, height, width]`. What `out` holds is only read, to
    /// be added.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn write_last(
        self,
        gpu: &Gpu,
        size: Size,
        out: &Map,
        last: &Last,
        output: &mut Buffer<f32>,
    ) -> Result<()> {
        assert!(self.weights.outputs == GROUP && output.len() >= size.pixels() * last.outputs);
        ConvSum { last: Some((last, output)), ..self }.launch(gpu, size, out)
    }
}
