//! Resize, pad, cut and flip.

use flowmask::Precision;
use flowmask::cpu::resize::linear;
use flowmask::cuda::conv::{CHANNELS_IN as CHANNELS, Map};
use flowmask::cuda::tiles::tiles;
use flowmask::cuda::{Buffer, Gpu, Half};
use flowmask::plan::grid::Grid;
use half::f16;

use crate::channels::{assert_bits, noise};
use crate::device::on_device;

/// The batch of all tiles, in single precision.
fn expected(pixels: &[f32], [height, width, nchan]: [usize; 3], grid: &Grid) -> Vec<f32> {
    let resized = match (height, width) == grid.image {
        true => pixels.to_vec(),
        false => linear(pixels, (height, width), grid.image, nchan),
    };
    let mut tile = vec![0.0; grid.tile.0 * grid.tile.1 * nchan];
    let mut batch = Vec::new();
    for place in grid.tiles() {
        let row = |y: usize, columns: std::ops::Range<usize>, out: &mut [f32]| {
            let first = y * grid.image.1 + columns.start;
            out.copy_from_slice(&resized[first * nchan..(first + columns.len()) * nchan]);
        };
        grid.cut(row, nchan, place, &mut tile);
        for pixel in tile.chunks_exact(nchan) {
            batch.extend(pixel);
            batch.resize(batch.len() + CHANNELS - nchan, 0.0);
        }
    }
    batch
}

/// The number 1 in half precision.
const ONE: u16 = 0x3c00;

pub struct Case {
    shape: [usize; 3],
    grid: Grid,
    pixels: Vec<f32>,
    want: Vec<f32>,
    want_half: Vec<u16>,
}

impl Case {
    pub fn new(shape: [usize; 3], grid: Grid) -> Self {
        let pixels: Vec<f32> = noise(shape.iter().product(), 6).iter().map(|v| v * 3.0 - 1.0).collect();
        let want = expected(&pixels, shape, &grid);
        let want_half = want.iter().map(|&v| f16::from_f32(v).to_bits()).collect();
        Case { shape, grid, pixels, want, want_half }
    }

    /// The tiles behind one slot that keeps what it has.
    pub fn compare(&self, gpu: &Gpu) {
        let Case { shape, grid, pixels, want, want_half } = self;
        let (all, slot) = (grid.tiles(), grid.tile.0 * grid.tile.1 * CHANNELS);
        let what = format!("{shape:?} as {:?}, {} tiles of {:?}", grid.image, all.len(), grid.tile);
        let source = Buffer::of(gpu, pixels).unwrap();

        let mut single = Map::F32(Buffer::of(gpu, &vec![1.0; slot + want.len()]).unwrap());
        // In two calls, as two batches.
        let (first, second) = all.split_at(all.len() / 3);
        tiles(gpu, &source, *shape, grid, first, 1, &mut single).unwrap();
        tiles(gpu, &source, *shape, grid, second, 1 + first.len(), &mut single).unwrap();
        let Map::F32(single) = single else { unreachable!() };
        let got = single.download(gpu).unwrap();
        assert!(got[..slot] == vec![1.0; slot], "{what}: the slot before");
        assert_bits(&what, &got[slot..], want);

        let mut half = Map::F16(Buffer::of(gpu, &vec![Half(ONE); slot + want.len()]).unwrap());
        tiles(gpu, &source, *shape, grid, &all, 1, &mut half).unwrap();
        let Map::F16(half) = half else { unreachable!() };
        let got: Vec<u16> = half.download(gpu).unwrap().into_iter().map(|half| half.0).collect();
        assert!(got[..slot] == vec![ONE; slot], "{what}: the slot before");
        let wrong = got[slot..].iter().zip(want_half).position(|(got, want)| got != want);
        assert_eq!(wrong, None, "the first wrong half, {what}");
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn tiles_of_small_images() {
    let shapes = [
        ([1, 1, 1], (1, 1)),
        ([1, 1, 2], (3, 2)),
        ([5, 50, 2], (5, 50)),
        ([33, 21, 1], (33, 21)),
        ([29, 41, 2], (37, 18)),
        ([40, 9, 3], (11, 30)),
        // Along one side only.
        ([40, 33, 1], (40, 51)),
        ([35, 20, 2], (17, 20)),
    ];
    let grids = |augment| {
        shapes.map(|(shape, (height, width))| Case::new(shape, Grid::new(height, width, 32, 0.1, augment)))
    };
    let cases: Vec<Case> = [false, true].into_iter().flat_map(grids).collect();
    on_device(|gpu| cases.iter().for_each(|case| case.compare(gpu)));
}

/// More tiles than a launch takes.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_tiles() {
    let grid = Grid::new(119, 120, 32, 0.5, false);
    assert!(grid.tiles().len() > 64);
    let case = Case::new([80, 83, 1], grid);
    on_device(|gpu| case.compare(gpu));
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn half_precision_rounds_to_even() {
    on_device(|gpu| {
        // Halfway between two, subnormal, too small and too large.
        let pixels =
            [1.000_488_3, 1.001_464_8, -1.000_488_3, 6e-8, 3e-8, 2.9e-8, -0.0, 65_519.0, 65_520.0, 1e9];
        let grid = Grid::new(1, pixels.len(), 32, 0.1, false);
        let mut out = Map::new(gpu, Precision::F16, grid.tile.0 * grid.tile.1 * CHANNELS).unwrap();
        let source = Buffer::of(gpu, &pixels).unwrap();
        tiles(gpu, &source, [1, pixels.len(), 1], &grid, &grid.tiles(), 0, &mut out).unwrap();
        let Map::F16(out) = out else { unreachable!() };
        let got = out.download(gpu).unwrap();
        for (x, &v) in pixels.iter().enumerate() {
            let at = (grid.before.0 * grid.tile.1 + grid.before.1 + x) * CHANNELS;
            assert_eq!(got[at].0, f16::from_f32(v).to_bits(), "{v}");
        }
    });
}
