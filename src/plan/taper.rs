//! The weights of pixels in the average of overlapping tiles (`_taper_mask`).

use super::grid::Grid;

/// The weights of the rows and of the columns of a tile of this size, (height, width). The weight of a pixel is the
/// product of both.
///
/// They are the centre of a sigmoid for a square whose side is the larger of 224 and the tile's height and width. It
/// falls to one half 20 pixels before the border of that square.
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

/// The sums of all tiles' weights for the rows and for the columns of the padded image. The total weight of a pixel is
/// the product of both.
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
