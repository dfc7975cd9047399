//! The weighted average of overlapping tiles (`_taper_mask`, `unaugment_tiles`, `average_tiles`).

use rayon::prelude::*;

use super::tiles::{Grid, Tile};

/// Weights along one side of a tile: a sigmoid that falls to a half 20 pixels before the border of a tile of
/// at least 224 pixels, cropped to the tile's centre. The weight of a pixel is the product of both sides'.
pub fn taper(tile: (usize, usize)) -> (Vec<f64>, Vec<f64>) {
    let side = tile.0.max(tile.1).max(224);
    let middle = (side - 1) as f64 / 2.0;
    let weight = |i: usize| {
        let distance = (i as f64 - middle).abs();
        1.0 / (1.0 + ((distance - (side as f64 / 2.0 - 20.0)) / 7.5).exp())
    };
    let crop = |length: usize| {
        let first = side / 2 - length / 2;
        (first..first + length).map(weight).collect()
    };
    (crop(tile.0), crop(tile.1))
}

/// The sum of the tiles so far.
pub struct Blend<'a> {
    grid: &'a Grid,
    taper: (Vec<f64>, Vec<f64>),
    nout: usize,
    /// `[nout, height, width]` of the padded image.
    sum: Vec<f32>,
}

impl<'a> Blend<'a> {
    /// A sum of nothing, for outputs of `nout` maps.
    pub fn new(grid: &'a Grid, nout: usize) -> Self {
        let sum = vec![0.0; nout * grid.padded.0 * grid.padded.1];
        Blend { grid, taper: taper(grid.tile), nout, sum }
    }

    /// Adds the network's output for one tile, `[nout, height, width]`. A tile that was flipped is flipped
    /// back, and the flow along a flipped axis changes its sign. The sum depends on the order of the tiles.
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
                    // The original's sum is single precision, its weights double.
                    *sum = (f64::from(*sum) + f64::from(value) * (down[y] * weight)) as f32;
                }
            });
        }
    }

    /// The average, without the padding: `[nout, height, width]` of the image.
    pub fn finish(self) -> Vec<f32> {
        let (rows, columns) = total_weight(self.grid, &self.taper);
        let ((height, width), (top, left)) = (self.grid.image, self.grid.before);
        let (padded_height, padded_width) = self.grid.padded;
        let mut out = vec![0.0; self.nout * height * width];
        out.par_chunks_exact_mut(width).enumerate().for_each(|(i, out)| {
            let (channel, y) = (i / height, i % height + top);
            let row = &self.sum[(channel * padded_height + y) * padded_width + left..][..width];
            for ((out, sum), weight) in out.iter_mut().zip(row).zip(&columns[left..]) {
                *out = (f64::from(*sum) / (rows[y] * weight)) as f32;
            }
        });
        out
    }
}

/// The sum of all tiles' weights is, as each of them, a product of a row's and a column's, of the padded image.
pub(crate) fn total_weight(grid: &Grid, taper: &(Vec<f64>, Vec<f64>)) -> (Vec<f64>, Vec<f64>) {
    let total = |length: usize, starts: &[usize], taper: &[f64]| {
        let mut total = vec![0.0; length];
        for &start in starts {
            total[start..].iter_mut().zip(taper).for_each(|(sum, weight)| *sum += weight);
        }
        total
    };
    (total(grid.padded.0, &grid.starts.0, &taper.0), total(grid.padded.1, &grid.starts.1, &taper.1))
}
