//! The average of tiles and of styles.

use flowmask::cpu::blend::Blend;
use flowmask::cpu::network::unit_length;
use flowmask::cuda::Buffer;
use flowmask::cuda::blend::{Scratch, blend, style};
use flowmask::plan::grid::Grid;

use crate::channels::{assert_bits, noise};
use crate::device::on_device;

pub fn expected(values: &[f32], grid: &Grid, nout: usize) -> Vec<f32> {
    let mut blend = Blend::new(grid, nout);
    let tile = nout * grid.tile.0 * grid.tile.1;
    for (tile, values) in grid.tiles().into_iter().zip(values.chunks_exact(tile)) {
        blend.add(tile, values);
    }
    blend.finish().0
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn average_of_tiles() {
    on_device(|gpu| {
        let (mut out, mut scratch) = (Buffer::new(), Scratch::default());
        for (height, width) in [(1, 1), (30, 41), (47, 16), (3, 100)] {
            for (overlap, augment) in [(0.1, false), (0.5, false), (0.1, true)] {
                let grid = Grid::new(height, width, 32, overlap, augment);
                for nout in [3, 1] {
                    let len = grid.tiles().len() * nout * grid.tile.0 * grid.tile.1;
                    // Some zeros, whose sign changes with the flow's.
                    let values: Vec<f32> = noise(len, 7).iter().map(|&v| (v - 0.2).max(0.0) * 10.0).collect();
                    let source = Buffer::of(gpu, &values).unwrap();
                    blend(gpu, &source, &grid, nout, &mut out, &mut scratch).unwrap();
                    let what = format!("{height} by {width}, {overlap}, {augment}, {nout} maps");
                    assert_bits(&what, &out.download(gpu).unwrap(), &expected(&values, &grid, nout));
                }
            }
        }
    });
}

/// Tiles of the usual size, whose weights fall towards the border.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn tiles_of_the_usual_size() {
    let gpu = crate::device::gpu();
    let grid = Grid::new(250, 301, 224, 0.1, false);
    let values = noise(grid.tiles().len() * 3 * 224 * 224, 8);
    let (mut out, mut scratch) = (Buffer::new(), Scratch::default());
    blend(&gpu, &Buffer::of(&gpu, &values).unwrap(), &grid, 3, &mut out, &mut scratch).unwrap();
    assert_bits("250 by 301", &out.download(&gpu).unwrap(), &expected(&values, &grid, 3));
}

/// More rows than a grid has threads along y.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_rows() {
    let gpu = crate::device::gpu();
    let grid = Grid::new(8 * 65_535 + 3, 1, 32, 0.1, false);
    let values = noise(grid.count() * grid.tile.0 * grid.tile.1, 9);
    let (mut out, mut scratch) = (Buffer::new(), Scratch::default());
    blend(&gpu, &Buffer::of(&gpu, &values).unwrap(), &grid, 1, &mut out, &mut scratch).unwrap();
    assert_bits("many rows", &out.download(&gpu).unwrap(), &expected(&values, &grid, 1));
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn sum_of_styles() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (count, length) in [(1, 1), (3, 300), (7, 256), (1, 256), (40, 31)] {
            for scale in [1.0, 1e-30, 0.0] {
                let styles: Vec<f32> = noise(count * length, 9).iter().map(|v| (v - 0.5) * scale).collect();
                let mut want = vec![0.0; length];
                for tile in styles.chunks_exact(length) {
                    want.iter_mut().zip(tile).for_each(|(sum, s)| *sum += s);
                }
                unit_length(&mut want);
                let (styles, broken) = (Buffer::of(gpu, &styles).unwrap(), Buffer::of(gpu, &[0]).unwrap());
                style(gpu, &styles, count, length, &broken, &mut out).unwrap();
                let what = format!("{count} styles of {length}, times {scale}");
                assert_bits(&what, &out.download(gpu).unwrap(), &want);
            }
        }
    });
}
