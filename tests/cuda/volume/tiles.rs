//! Tiles of planes across each axis.

use flowmask::cuda::conv::{CHANNELS_IN as CHANNELS, Map};
use flowmask::cuda::volume::tiles::tiles;
use flowmask::cuda::{Buffer, Half};
use flowmask::plan::grid::{Grid, Tile};
use flowmask::plan::volume::{ORIENTATIONS, Orientation};
use half::f16;

use crate::channels::{assert_bits, noise};
use crate::device::on_device;

/// A batch of tiles of planes of a volume, `[depth, height, width, nchan]`.
fn expected(
    values: &[f32],
    (size, nchan): ([usize; 3], usize),
    orientation: Orientation,
    grid: &Grid,
    tiles: &[(usize, Tile)],
) -> Vec<f32> {
    let [planes, rows, columns] = orientation.strides(size);
    let mut pixels = vec![0.0; grid.tile.0 * grid.tile.1 * nchan];
    let mut batch = Vec::new();
    for &(plane, tile) in tiles {
        let row = |y: usize, xs: std::ops::Range<usize>, out: &mut [f32]| {
            for (x, out) in xs.zip(out.chunks_exact_mut(nchan)) {
                out.copy_from_slice(&values[(plane * planes + y * rows + x * columns) * nchan..][..nchan]);
            }
        };
        grid.cut(row, nchan, tile, &mut pixels);
        for pixel in pixels.chunks_exact(nchan) {
            batch.extend(pixel);
            batch.resize(batch.len() + CHANNELS - nchan, 0.0);
        }
    }
    batch
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn tiles_of_each_orientation() {
    on_device(|gpu| {
        for (size, nchan, augment) in [([3, 5, 41], 2, false), ([2, 21, 1], 1, false), ([3, 4, 18], 2, true)]
        {
            let values: Vec<f32> =
                noise(size.iter().product::<usize>() * nchan, 6).iter().map(|v| v * 3.0 - 1.0).collect();
            let source = Buffer::of(gpu, &values).unwrap();
            for orientation in ORIENTATIONS {
                let (count, (height, width)) = orientation.planes(size);
                let grid = Grid::new(height, width, 32, 0.1, augment);
                let planes = (0..count).rev().step_by(3);
                let all: Vec<_> = planes
                    .flat_map(|plane| grid.tiles().into_iter().map(move |tile| (plane, tile)))
                    .collect();
                let want = expected(&values, (size, nchan), orientation, &grid, &all);
                let what = format!("{size:?}, {nchan} channels, {orientation:?}, {augment}");

                let volume = (&source, size, nchan);
                // What is behind the tiles stays as it is.
                let mut single = Map::F32(Buffer::of(gpu, &vec![1.0; want.len() + CHANNELS]).unwrap());
                tiles(gpu, volume, orientation, &grid, &all, &mut single).unwrap();
                let Map::F32(single) = single else { unreachable!() };
                let got = single.download(gpu).unwrap();
                assert_bits(&what, &got[..want.len()], &want);
                assert_eq!(got[want.len()..], [1.0; CHANNELS], "{what}");

                let mut half = Map::F16(Buffer::of(gpu, &vec![Half(0); want.len()]).unwrap());
                tiles(gpu, volume, orientation, &grid, &all, &mut half).unwrap();
                let Map::F16(half) = half else { unreachable!() };
                let got: Vec<u16> = half.download(gpu).unwrap().into_iter().map(|half| half.0).collect();
                assert!(
                    got.iter().zip(&want).all(|(got, &want)| *got == f16::from_f32(want).to_bits()),
                    "{what}"
                );
            }
        }
    });
}

/// More tiles than a launch takes.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_planes() {
    let (size, orientation) = ([2, 3, 70], ORIENTATIONS[2]);
    let grid = Grid::new(2, 3, 32, 0.1, false);
    let values = noise(2 * 3 * 70, 8);
    let all: Vec<_> = (0..70).map(|plane| (plane, grid.tiles()[0])).collect();
    let want = expected(&values, (size, 1), orientation, &grid, &all);
    on_device(|gpu| {
        let mut out = Map::F32(Buffer::of(gpu, &vec![1.0; want.len()]).unwrap());
        let source = Buffer::of(gpu, &values).unwrap();
        tiles(gpu, (&source, size, 1), orientation, &grid, &all, &mut out).unwrap();
        let Map::F32(out) = out else { unreachable!() };
        assert_bits("70 planes", &out.download(gpu).unwrap(), &want);
    });
}
