//! Percentile normalisation of volumes.

use flowmask::cpu::volume::normalize::normalize as expected;
use flowmask::cuda::volume::normalize::{Scratch, normalize, sample};
use flowmask::cuda::{Buffer, Gpu};
use flowmask::{Compat, Normalize};

use crate::channels::{assert_bits, noise};
use crate::device::{gpu, on_device};

fn compare(gpu: &Gpu, values: &[f32], size: [usize; 3], nchan: usize, options: &Normalize, compat: Compat) {
    let (mut want, mut got) = (values.to_vec(), Buffer::of(gpu, values).unwrap());
    expected(&mut want, size, nchan, options, compat);
    normalize(gpu, &mut got, size, nchan, (options, compat), &mut Scratch::default()).unwrap();
    assert_bits(&format!("{size:?}, {options:?}, {compat:?}"), &got.download(gpu).unwrap(), &want);
}

/// All planes together: a ramp gives each other percentiles. The second channel is constant.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn small_volumes() {
    on_device(|gpu| {
        for (size, nchan) in [([5, 13, 37], 1), ([3, 20, 9], 2), ([1, 1, 2], 2)] {
            let noise = noise(size.iter().product::<usize>() * nchan, 3);
            let value = |(i, &v): (usize, &f32)| match i % nchan {
                0 => (v * 100.0).floor() + i as f32,
                _ => 7.0,
            };
            let values: Vec<f32> = noise.iter().enumerate().map(value).collect();
            let inverse = Normalize::default().percentile([12.3, 50.0]).invert(true);
            compare(gpu, &values, size, nchan, &Normalize::default(), Compat::V3_1_1);
            compare(gpu, &values, size, nchan, &inverse, Compat::None);
        }
    });
}

/// Steps along each axis, which divide its length or not.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn the_voxels_of_a_grid() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (size, steps, nchan) in
            [([7, 9, 40], [2, 3, 4], 1), ([4, 6, 10], [2, 1, 5], 2), ([1, 1, 1], [1; 3], 1)]
        {
            let values = noise(size.iter().product::<usize>() * nchan, 4);
            let voxel = |i: usize| {
                let place = [i / size[2] / size[1], i / size[2] % size[1], i % size[2]];
                (0..3).all(|axis| place[axis].is_multiple_of(steps[axis]))
            };
            let voxels = values.chunks_exact(nchan).enumerate().filter(|(i, _)| voxel(*i));
            let want: Vec<f32> = voxels.flat_map(|(_, voxel)| voxel).copied().collect();
            sample(gpu, &Buffer::of(gpu, &values).unwrap(), size, steps, nchan, &mut out).unwrap();
            assert_bits(&format!("{size:?} by {steps:?}"), &out.download(gpu).unwrap(), &want);
        }
    });
}

/// More than 224³ voxels: the percentiles come from a grid with steps of 2, 3 and 1, which has others than the volume. It
/// takes a second, since such a volume has 11 million voxels.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn a_large_volume() {
    let size = [101, 673, 167];
    let place = |i: usize| [i / 167 / 673, i / 167 % 673, i % 167];
    let value = |i: usize| match place(i) {
        [z, y, _] if z % 2 == 0 && y % 3 == 0 => (i % 7919) as f32,
        [z, y, x] => -((z + y + x) as f32),
    };
    let values: Vec<f32> = (0..size.iter().product()).map(value).collect();
    compare(&gpu(), &values, size, 1, &Normalize::default(), Compat::None);
}
