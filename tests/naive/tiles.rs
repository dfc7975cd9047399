//! `tiles`: the number, the positions and the contents of tiles.

use flowmask::plan::grid::{Grid, padding};
use proptest::prelude::*;

use crate::check::{config, noise, same, side};

/// Along one axis: the zeros before the image, the padded length, the length of a tile, and where the tiles start.
fn reference(length: usize, bsize: usize, overlap: f64, augment: bool) -> (usize, usize, usize, Vec<usize>) {
    let mut missing = 0;
    while !(length + missing).is_multiple_of(16) {
        missing += 1;
    }
    let before = 8 + missing / 2;
    let mut padded = length + missing + 16;
    let (tile, n) = if augment {
        padded = padded.max(bsize);
        (bsize, ((2.0 * padded as f64 / bsize as f64).ceil() as usize).max(2))
    } else if padded <= bsize {
        (padded, 1)
    } else {
        (bsize, ((1.0 + 2.0 * overlap) * padded as f64 / bsize as f64).ceil() as usize)
    };
    // numpy.linspace(0, padded - tile, n) is i times the step, and exactly the end for the last.
    let mut starts = vec![0; n];
    for (i, start) in starts.iter_mut().enumerate() {
        *start = (i as f64 * ((padded - tile) as f64 / (n.max(2) - 1) as f64)) as usize;
    }
    starts[n - 1] = padded - tile;
    (before, padded, tile, starts)
}

fn grid() -> impl Strategy<Value = (usize, usize, usize, f64, bool)> {
    let bsize = proptest::sample::select(vec![32usize, 48, 64]);
    (side(150), side(150), bsize, prop_oneof![Just(0.1), 0.05..=0.5], any::<bool>())
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn positions((height, width, bsize, overlap, augment) in grid()) {
        let grid = Grid::new(height, width, bsize, overlap, augment);
        let (top, rows, tile_rows, ys) = reference(height, bsize, overlap, augment);
        let (left, columns, tile_columns, xs) = reference(width, bsize, overlap, augment);
        prop_assert_eq!(grid.image, (height, width));
        prop_assert_eq!(grid.before, (top, left));
        prop_assert_eq!(grid.padded, (rows, columns));
        prop_assert_eq!(grid.tile, (tile_rows, tile_columns));
        same(&grid.starts.0, &ys, 1)?;
        same(&grid.starts.1, &xs, 1)?;
        let mut want = Vec::new();
        for (j, &y) in ys.iter().enumerate() {
            for (i, &x) in xs.iter().enumerate() {
                want.push((y, x, augment && i % 2 == 1, augment && j % 2 == 1));
            }
        }
        let got: Vec<_> = grid.tiles().iter().map(|t| (t.y, t.x, t.flip_y, t.flip_x)).collect();
        same(&got, &want, xs.len())?;
        let mut covered = vec![0; rows * columns];
        for tile in grid.tiles() {
            for y in tile.y..tile.y + tile_rows {
                covered[y * columns..][tile.x..tile.x + tile_columns].fill(1);
            }
        }
        same(&covered, &vec![1; rows * columns], columns)?;
    }

    #[test]
    fn padding_of_an_axis(length in 1..3000usize) {
        let (before, after) = padding(length);
        prop_assert_eq!((before + length + after) % 16, 0);
        prop_assert!(before >= 8 && before <= after && after - before <= 1 && before + after < 32);
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn cut((height, width, bsize, overlap, augment) in grid(), seed in any::<u64>()) {
        let pixels = noise(seed, height * width * 2);
        let grid = Grid::new(height, width, bsize, overlap, augment);
        let ((rows, columns), (top, left)) = (grid.padded, grid.before);
        let mut padded = vec![0.0; rows * columns * 2];
        for y in 0..height {
            for x in 0..width * 2 {
                padded[(y + top) * columns * 2 + left * 2 + x] = pixels[y * width * 2 + x];
            }
        }
        let mut got = vec![f32::NAN; grid.tile.0 * grid.tile.1 * 2];
        for tile in grid.tiles() {
            let row = |y: usize, columns: std::ops::Range<usize>, out: &mut [f32]| {
                out.copy_from_slice(&pixels[(y * width + columns.start) * 2..(y * width + columns.end) * 2]);
            };
            grid.cut(row, 2, tile, &mut got);
            for y in 0..grid.tile.0 {
                let mut want = Vec::new();
                for x in 0..grid.tile.1 {
                    let y = tile.y + if tile.flip_y { grid.tile.0 - 1 - y } else { y };
                    let x = tile.x + if tile.flip_x { grid.tile.1 - 1 - x } else { x };
                    want.extend_from_slice(&padded[(y * columns + x) * 2..][..2]);
                }
                same(&got[y * grid.tile.1 * 2..][..grid.tile.1 * 2], &want, 2)?;
            }
        }
    }
}
