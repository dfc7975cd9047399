//! The weighted average of overlapping tiles (`_taper_mask`, `unaugment_tiles`, `average_tiles`).

use rayon::prelude::*;

use crate::memory::zeros;
use crate::plan::grid::{Grid, Tile};
use crate::plan::taper::{taper, total_weight};

/// The weighted sum of the tiles that were added.
pub struct Blend<'a> {
    grid: &'a Grid,
    taper: (Vec<f64>, Vec<f64>),
    nout: usize,
    /// The sum for the padded image, `[nout, height, width]`.
    sum: Vec<f32>,
}

impl<'a> Blend<'a> {
    /// An empty sum for outputs of `nout` maps.
    pub fn new(grid: &'a Grid, nout: usize) -> Self {
        let sum = zeros(nout * grid.padded.0 * grid.padded.1);
        Blend { grid, taper: taper(grid.tile), nout, sum }
    }

    /// Adds the network's output for one tile, `[nout, height, width]`. A flipped tile is flipped back, and the flow
    /// along a flipped axis changes its sign. The order of the calls changes the rounding of the sum.
    pub fn add(&mut self, tile: Tile, values: &[f32]) {
        let (height, width) = self.grid.tile;
        let (padded_height, padded_width) = self.grid.padded;
        let (down, across) = &self.taper;
        for (channel, values) in values.chunks_exact(height * width).enumerate() {
            let negative = match channel {
                0 => tile.flip_y,
                1 => tile.flip_x,
                _ => false,
            } && channel + 1 < self.nout;
            let sign = if negative { -1.0 } else { 1.0 };
            let plane = &mut self.sum[channel * padded_height * padded_width..];
            let rows = plane[tile.y * padded_width..].par_chunks_mut(padded_width).take(height);
            rows.enumerate().for_each(|(y, row)| {
                let source = if tile.flip_y { height - 1 - y } else { y };
                let values = &values[source * width..][..width];
                let row = &mut row[tile.x..tile.x + width];
                for (x, (sum, weight)) in row.iter_mut().zip(across).enumerate() {
                    let value = values[if tile.flip_x { width - 1 - x } else { x }] * sign;
                    // As in the original, the sum is in single precision and the weights are in double.
                    *sum = (f64::from(*sum) + f64::from(value) * (down[y] * weight)) as f32;
                }
            });
        }
    }

    /// The average of the tiles without the padding, `[nout, height, width]`, and whether all its values are finite. It
    /// takes the memory of the sum.
    pub fn finish(self) -> (Vec<f32>, bool) {
        let (rows, columns) = total_weight(self.grid, &self.taper);
        let ((height, width), (top, left)) = (self.grid.image, self.grid.before);
        let (padded_height, padded_width) = self.grid.padded;
        let mut maps = self.sum;
        let averages = maps.par_chunks_exact_mut(padded_width).enumerate().map(|(i, row)| {
            let y = i % padded_height;
            let mut finite = true;
            for (value, column) in row[left..][..width].iter_mut().zip(&columns[left..]) {
                *value = (f64::from(*value) / (rows[y] * column)) as f32;
                // Rows of the padding are not part of the image.
                finite &= value.is_finite() || !(top..top + height).contains(&y);
            }
            finite
        });
        let finite = averages.reduce(|| true, |a, b| a & b);
        // Rows only move towards the front, so none is overwritten before it has moved.
        for i in 0..self.nout * height {
            let from = (i / height * padded_height + i % height + top) * padded_width + left;
            maps.copy_within(from..from + width, i * width);
        }
        maps.truncate(self.nout * height * width);
        (maps, finite)
    }
}
