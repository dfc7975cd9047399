//! A convolution, with all that the kernel computes before and after it.

use super::super::{Buffer, Gpu};
use super::{Act, GROUP, Last, Map, Variant, Weights};
use crate::Result;

/// The number of tiles in a map, and their size at its level of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The number of tiles.
    pub count: usize,
    /// Rows of each tile.
    pub height: usize,
    /// Columns of each tile.
    pub width: usize,
}

impl Size {
    /// The number of pixels of all tiles.
    pub fn pixels(&self) -> usize {
        self.count * self.height * self.width
    }

    /// Whether height and width are even, so that a tile can be cut into squares of 2×2 pixels.
    pub(super) fn even(&self) -> bool {
        (self.height | self.width).is_multiple_of(2)
    }
}

/// Rows of a table, one for each tile. With a stride of 0, all tiles share one row.
#[derive(Debug)]
pub struct Rows<'a, T> {
    /// The table.
    pub table: &'a T,
    /// Index of the first value of the first tile's row.
    pub at: usize,
    /// Number of values from one tile's row to the next one.
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

    /// The length that the table must have for `count` tiles with rows of `len` values.
    pub(super) fn end(&self, count: usize, len: usize) -> usize {
        self.at + count.saturating_sub(1) * self.stride + len
    }
}

/// `start + bias + conv3x3(act(src)) + proj(x)`, where all terms but the convolution and the bias are optional. ReLU
/// and 2×2 max pooling can follow.
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
    pub(super) apart: Option<bool>,
    pub(super) only: Option<&'static str>,
    pub(super) blocks: Option<usize>,
    pub(super) pooled: Option<&'a Map>,
    pub(super) last: Option<(&'a Last, &'a Buffer<f32>)>,
}

impl<'a> ConvSum<'a> {
    /// The convolution of `src`, and its bias.
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
            apart: None,
            only: None,
            blocks: None,
            pooled: None,
            last: None,
        }
    }

    /// Convolves `relu(scale · src + shift)`.
    pub fn act(self, act: &'a Act) -> Self {
        ConvSum { act: Some((&act.scale, Rows::one(&act.shift))), ..self }
    }

    /// Like [`ConvSum::act`], but with a different shift for each tile.
    pub fn act_of_tile(self, scale: &'a Map, shift: Rows<'a, Map>) -> Self {
        ConvSum { act: Some((scale, shift)), ..self }
    }

    /// With `up`, scales the source to twice its size first, each pixel becoming 2×2 equal ones.
    pub fn up(self, up: bool) -> Self {
        ConvSum { up, ..self }
    }

    /// Replaces the bias of the weights by another one, which can differ from tile to tile.
    pub fn bias(self, bias: Rows<'a, Buffer<f32>>) -> Self {
        ConvSum { bias, ..self }
    }

    /// Adds the values that the destination already has.
    pub fn accumulate(self) -> Self {
        ConvSum { accumulate: true, ..self }
    }

    /// Adds a map, multiplied by one factor for each channel.
    pub fn skip(self, map: &'a Map, scale: &'a Buffer<f32>) -> Self {
        ConvSum { skip: Some((map, scale)), ..self }
    }

    /// Adds the projection of `map`, whose weights must be part of the weights of the convolution. With `up`, the map
    /// is scaled to twice its size first.
    pub fn proj(self, map: &'a Map, up: bool) -> Self {
        ConvSum { proj: Some((map, up)), ..self }
    }

    /// Takes the ReLU of the sum.
    pub fn relu(self) -> Self {
        ConvSum { relu: true, ..self }
    }

    /// Sets how many slices are kept in shared memory, 2 or 3. Without this, the card's shared memory decides.
    pub fn stages(self, stages: usize) -> Self {
        ConvSum { stages: Some(stages), ..self }
    }

    /// Takes only the kernels in half precision whose quarters of a strip lie apart, or together. Without this, the
    /// [`Choice`](super::Choice) of the GPU decides.
    ///
    /// # Panics
    /// The methods that write the sum panic where no kernel can compute it so: see [`Variant`].
    pub fn apart(self, apart: bool) -> Self {
        ConvSum { apart: Some(apart), ..self }
    }

    /// Takes only this variant in half precision. The weights must be in its order.
    ///
    /// # Panics
    /// The methods that write the sum panic where it cannot compute it.
    pub fn only(self, variant: &'static Variant) -> Self {
        ConvSum { only: Some(variant.name), ..self }
    }

    /// Sets how many thread blocks share the work in a kernel whose blocks stay on their multiprocessor. Without this,
    /// there is one for each multiprocessor.
    pub fn blocks(self, blocks: usize) -> Self {
        ConvSum { blocks: Some(blocks), ..self }
    }

    /// Writes the sum to `out`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn write(self, gpu: &Gpu, size: Size, out: &mut Map) -> Result<()> {
        self.launch(gpu, size, out)
    }

    /// Writes the sum to `out`, and the maximum of each 2×2 pixels of it to `pooled`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn write_pooled(self, gpu: &Gpu, size: Size, out: &mut Map, pooled: &mut Map) -> Result<()> {
        assert!(size.even() && pooled.len() >= size.pixels() / 4 * self.weights.outputs);
        ConvSum { pooled: Some(pooled), ..self }.launch(gpu, size, out)
    }

    /// Writes the network's last layer on the sum to `output`, `[tile, output, height, width]`. The sum itself is not
    /// written; `out` is only read, for [`ConvSum::accumulate`].
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
