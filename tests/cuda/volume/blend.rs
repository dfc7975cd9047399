//! The outputs of planes across each axis, added to the maps.

use flowmask::cpu::volume::network::Maps;
use flowmask::cuda::blend::{Scratch, style};
use flowmask::cuda::volume::blend::add_plane;
use flowmask::cuda::{Buffer, Gpu};
use flowmask::plan::grid::Grid;
use flowmask::plan::volume::ORIENTATIONS;

use crate::blend::expected;
use crate::channels::{assert_bits, noise};
use crate::device::{gpu, on_device};

/// The planes of all orientations in turn, each in another place among the outputs. Returns whether all are finite.
fn compare(gpu: &Gpu, size: [usize; 3], augment: bool, change: impl Fn(&mut [f32])) -> bool {
    let mut scratch = Scratch::default();
    scratch.broken.zeros(gpu, 1).unwrap();
    let voxels = size.iter().product::<usize>();
    let mut want = noise(4 * voxels, 3);
    let mut maps = Buffer::of(gpu, &want).unwrap();
    for orientation in ORIENTATIONS {
        let (count, (height, width)) = orientation.planes(size);
        let grid = Grid::new(height, width, 32, 0.1, augment);
        let own = grid.count() * 3 * grid.tile.0 * grid.tile.1;
        for plane in 0..count {
            let place = plane % 3;
            let mut values = noise((place + 1) * own, 7 + plane as u32);
            change(&mut values[place * own..]);
            Maps::new(&mut want, size, orientation)
                .add_plane(plane, &expected(&values[place * own..], &grid, 3));
            let values = Buffer::of(gpu, &values).unwrap();
            let from = (&values, place * grid.count());
            add_plane(gpu, from, &grid, (size, orientation, plane), &mut maps, &mut scratch).unwrap();
        }
    }
    assert_bits(&format!("{size:?}, {augment}"), &maps.download(gpu).unwrap(), &want);
    scratch.broken.download(gpu).unwrap() == [0]
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn planes_of_each_orientation() {
    on_device(|gpu| {
        for (size, augment) in [([2, 3, 41], false), ([1, 1, 2], false), ([2, 2, 3], true)] {
            assert!(compare(gpu, size, augment, |_| ()));
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn outputs_that_are_not_finite_are_found() {
    for value in [f32::NAN, f32::INFINITY, -f32::INFINITY] {
        assert!(!compare(&gpu(), [2, 3, 5], false, |values| values.fill(value)));
    }
    assert!(compare(&gpu(), [2, 3, 5], false, |values| values.fill(1e38)));
}

/// More rows than a grid has threads along y.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_rows() {
    let (gpu, size) = (gpu(), [1, 8 * 65_535 + 3, 1]);
    let grid = Grid::new(size[1], 1, 32, 0.1, false);
    let values = noise(grid.count() * 3 * grid.tile.0 * grid.tile.1, 9);
    let (mut scratch, mut maps) = (Scratch::default(), Buffer::new());
    scratch.broken.zeros(&gpu, 1).unwrap();
    maps.zeros(&gpu, 4 * size[1]).unwrap();
    let mut want = Vec::new();
    Maps::new(&mut want, size, ORIENTATIONS[0]).add_plane(0, &expected(&values, &grid, 3));
    let values = Buffer::of(&gpu, &values).unwrap();
    add_plane(&gpu, (&values, 0), &grid, (size, ORIENTATIONS[0], 0), &mut maps, &mut scratch).unwrap();
    assert_bits("many rows", &maps.download(&gpu).unwrap(), &want);
}

/// Each plane's own sum.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn styles_of_planes() {
    on_device(|gpu| {
        let (planes, count, length) = (3, 2, 40);
        let styles = noise(planes * count * length, 9);
        let (mut all, mut one) = (Buffer::new(), Buffer::new());
        let broken = Buffer::of(gpu, &[0]).unwrap();
        style(gpu, &Buffer::of(gpu, &styles).unwrap(), count, length, &broken, &mut all).unwrap();
        let want = styles.chunks_exact(count * length).flat_map(|own| {
            style(gpu, &Buffer::of(gpu, own).unwrap(), count, length, &broken, &mut one).unwrap();
            one.download(gpu).unwrap()
        });
        assert_bits("three planes", &all.download(gpu).unwrap(), &want.collect::<Vec<_>>());
    });
}
