//! `blend`: each pixel is the weighted mean of the tiles that cover it.

use flowmask::cpu::blend::Blend;
use flowmask::plan::grid::{Grid, Tile};
use proptest::prelude::*;

use crate::check::{ULP, close, config, noise, side};

/// The weight of a pixel in a tile: a product of two sigmoids over a square, of which the tile is the centre.
fn weight((height, width): (usize, usize), y: usize, x: usize) -> f64 {
    let side = height.max(width).max(224);
    let along = |i: usize| {
        let distance = (i as f64 - (side - 1) as f64 / 2.0).abs();
        1.0 / (1.0 + ((distance - (side as f64 / 2.0 - 20.0)) / 7.5).exp())
    };
    along(y + side / 2 - height / 2) * along(x + side / 2 - width / 2)
}

/// The weighted mean at a pixel, and the number of tiles that cover it.
fn reference(grid: &Grid, tiles: &[(Tile, Vec<f32>)], channel: usize, y: usize, x: usize) -> (f64, usize) {
    let (height, width) = grid.tile;
    let (y, x) = (y + grid.before.0, x + grid.before.1);
    let (mut sum, mut total, mut count) = (0.0, 0.0, 0);
    for (tile, values) in tiles {
        if y < tile.y || x < tile.x || y >= tile.y + height || x >= tile.x + width {
            continue;
        }
        let (y, x) = (y - tile.y, x - tile.x);
        let row = if tile.flip_y { height - 1 - y } else { y };
        let column = if tile.flip_x { width - 1 - x } else { x };
        let mut value = f64::from(values[(channel * height + row) * width + column]);
        if channel == 0 && tile.flip_y || channel == 1 && tile.flip_x {
            value = -value;
        }
        sum += value * weight(grid.tile, y, x);
        total += weight(grid.tile, y, x);
        count += 1;
    }
    (sum / total, count)
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn average(
        size in (side(100), side(100)),
        bsize in proptest::sample::select(vec![32usize, 48, 64, 240]),
        overlap in 0.05..=0.5,
        augment in any::<bool>(),
        nout in 3..5usize,
        seed in any::<u64>(),
    ) {
        let grid = Grid::new(size.0, size.1, bsize, overlap, augment);
        let n = nout * grid.tile.0 * grid.tile.1;
        let tiles: Vec<(Tile, Vec<f32>)> =
            (seed..).zip(grid.tiles()).map(|(seed, tile)| (tile, noise(seed, n))).collect();
        let mut blend = Blend::new(&grid, nout);
        tiles.iter().for_each(|(tile, values)| blend.add(*tile, values));
        let mut want = Vec::new();
        for channel in 0..nout {
            for y in 0..size.0 {
                want.extend((0..size.1).map(|x| reference(&grid, &tiles, channel, y, x)));
            }
        }
        let (want, counts): (Vec<f64>, Vec<usize>) = want.into_iter().unzip();
        // Values are at most 1, so a sum is at most the total weight. One rounding each comes from every addition, from
        // the product and its factor, and from the quotient.
        close(&blend.finish().0, &want, |i| ULP * (counts[i] + 3) as f64, size.1)?;
    }
}
