//! Tiles cut from an image.

use std::ops::Range;

use crate::plan::grid::{Grid, Tile};

impl Grid {
    /// Writes a tile to `out`, `[tile height, tile width, nchan]`: flipped if the tile is, and with zeros in the
    /// padding. `row(y, columns, out)` must write the columns of row `y` of the image, `[column, nchan]`.
    pub fn cut(
        &self,
        mut row: impl FnMut(usize, Range<usize>, &mut [f32]),
        nchan: usize,
        tile: Tile,
        out: &mut [f32],
    ) {
        let (height, width) = self.image;
        // Columns of the tile that lie in the image.
        let first = self.before.1.saturating_sub(tile.x);
        let last = (self.before.1 + width).saturating_sub(tile.x).min(self.tile.1);
        for (i, out) in out.chunks_exact_mut(self.tile.1 * nchan).enumerate() {
            let i = if tile.flip_y { self.tile.0 - 1 - i } else { i };
            let y = (tile.y + i).wrapping_sub(self.before.0);
            out.fill(0.0);
            if y < height && first < last {
                let column = tile.x + first - self.before.1;
                row(y, column..column + last - first, &mut out[first * nchan..last * nchan]);
            }
            if tile.flip_x {
                flip(out, nchan);
            }
        }
    }
}

fn flip(row: &mut [f32], nchan: usize) {
    row.reverse();
    row.chunks_exact_mut(nchan).for_each(<[f32]>::reverse);
}
