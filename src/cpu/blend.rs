//! The weighted average of overlapping tiles (`_taper_mask`, `unaugment_tiles`, `average_tiles`).

use rayon::prelude::*;

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
        let sum = vec![0.0; nout * grid.padded.0 * grid.padded.1];
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

    /// The average of the tiles without the padding, `[nout, height, width]`, and whether all its values are finite.
    pub fn finish(self) -> (Vec<f32>, bool) {
        let (rows, columns) = total_weight(self.grid, &self.taper);
        let ((height, width), (top, left)) = (self.grid.image, self.grid.before);
        let (padded_height, padded_width) = self.grid.padded;
        let mut out = vec![0.0; self.nout * height * width];
        let rows = out.par_chunks_exact_mut(width).enumerate().map(|(i, out)| {
            let (channel, y) = (i / height, i % height + top);
            let row = &self.sum[(channel * padded_height + y) * padded_width + left..][..width];
            let mut finite = true;
            for ((out, sum), weight) in out.iter_mut().zip(row).zip(&columns[left..]) {
                *out = (f64::from(*sum) / (rows[y] * weight)) as f32;
                finite &= out.is_finite();
            }
            finite
        });
        let finite = rows.reduce(|| true, |a, b| a & b);
        (out, finite)
    }
}
