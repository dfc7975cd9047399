//! Masks from end points in volumes against the twin on the processor.

use flowmask::Sampling;
use flowmask::cpu::volume::{cluster, follow};
use flowmask::cuda::volume::cluster::Scratch;
use flowmask::cuda::volume::follow::Points;
use flowmask::cuda::{self, Buffer, Gpu};

use super::{SIZES, Size, first_difference, golden_flows, volume, voxels};
use crate::cluster::noise;
use crate::device::{gpu, on_device};
use crate::follow::common;

/// Clusters on both; returns how many labels there are.
pub fn check(
    gpu: &Gpu,
    scratch: &mut Scratch,
    what: &str,
    points: &follow::Points,
    size: Size,
    fraction: f64,
) -> usize {
    let want = cluster::cluster(points, size, fraction);
    let on_gpu = Points {
        voxels: Buffer::of(gpu, &points.voxels).unwrap(),
        ends: Buffer::of(gpu, &points.ends).unwrap(),
        count: Buffer::of(gpu, &[points.voxels.len() as u32]).unwrap(),
    };
    let mut labels = Buffer::new();
    cuda::volume::cluster::cluster(gpu, &on_gpu, size, fraction, &mut labels, scratch).unwrap();
    first_difference(&format!("{what} of {size:?}"), &labels.download(gpu).unwrap(), &want, size);
    let count = common::cells(&want);
    assert_eq!(scratch.renumber.count.download(gpu).unwrap(), [count as u32], "{what} of {size:?}: labels");
    assert!(count as u32 <= cuda::volume::cluster::max_label(size), "{what} of {size:?}");
    count
}

/// Points from all voxels, or as many as there are ends.
fn points(ends: impl Iterator<Item = [f32; 3]>, size: Size) -> follow::Points {
    let ends: Vec<[f32; 3]> = ends.take(voxels(size)).collect();
    follow::Points { voxels: (0..ends.len() as u32).collect(), ends }
}

/// Ends near the nodes of a grid of a pitch, so that counts of all kinds, ties and windows in windows come about.
pub fn crowds(size: Size, pitch: usize, spread: usize) -> follow::Points {
    let near = |i: usize, side: usize| (noise(i, side) / pitch * pitch + noise(7 * i, spread)) as f32 + 0.25;
    points((0..).map(|i| [0, 1, 2].map(|axis| near(3 * i + axis, size[axis]))), size)
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn ends_that_look_random() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let mut labels = 0;
        for size in SIZES.into_iter().chain([[13, 17, 19], [3, 40, 14]]) {
            for (pitch, spread) in [(4, 1), (5, 2), (7, 4)] {
                let points = crowds(size, pitch, spread);
                labels += check(gpu, &mut scratch, &format!("crowds {pitch}"), &points, size, 0.4);
                let half = follow::Points {
                    voxels: points.voxels.iter().map(|i| i / 2 * 2).step_by(2).collect(),
                    ends: points.ends.iter().copied().step_by(2).collect(),
                };
                labels += check(gpu, &mut scratch, &format!("half the crowds {pitch}"), &half, size, 1.0);
            }
            let none = follow::Points::default();
            assert_eq!(check(gpu, &mut scratch, "no points", &none, size, 0.4), 0);
        }
        assert!(labels > 300, "only {labels} labels");
        check(gpu, &mut scratch, "nothing", &follow::Points::default(), [3, 0, 5], 0.4);
    });
}

/// Each plateau is many seeds of one count, and the later ones cover the earlier.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn plateaus_and_borders() {
    let size = [19, 21, 23];
    let repeat = |n: usize, ends: Vec<[f32; 3]>| ends.into_iter().flat_map(move |end| [end].repeat(n));
    let cube = |first: Size, side: usize| -> Vec<[f32; 3]> {
        volume([side; 3], |at| [0, 1, 2].map(|axis| (first[axis] + at[axis]) as f32 + 0.5))
    };
    let corners: Vec<[f32; 3]> =
        volume([2; 3], |at| [0, 1, 2].map(|axis| (at[axis] * (size[axis] - 1)) as f32 + 0.5));
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 1e9, 19.0, 22.999];
    let broken =
        values.iter().flat_map(|&z| values.map(|x| [z, values[(x as i32 & 3) as usize], x])).collect();
    let kinds = [
        ("plateau", points(repeat(11, cube([5, 6, 7], 7)), size), 8),
        ("two plateaus", points(repeat(12, cube([3; 3], 4)).chain(repeat(12, cube([3, 3, 9], 4))), size), 2),
        ("at the threshold", points(repeat(10, cube([5, 6, 7], 7)), size), 0),
        ("a bridge", points(repeat(20, corners.clone()).chain(repeat(3, cube([0; 3], 12))), size), 8),
        ("corners", points(repeat(30, corners), size), 8),
        ("not finite", points(repeat(25, broken), size), 8),
        ("one voxel", points(repeat(9177, cube([17, 4, 22], 1)), size), 1),
    ];
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for (what, points, labels) in &kinds {
            assert_eq!(check(gpu, &mut scratch, what, points, size, 1.0), *labels, "{what}");
        }
        // Exactly the allowed part stays, one voxel more goes.
        let size = [10, 10, 10];
        let one = points(repeat(400, cube([7, 4, 9], 1)), size);
        assert_eq!(check(gpu, &mut scratch, "as large as allowed", &one, size, 0.4), 1);
        let one = points(repeat(401, cube([7, 4, 9], 1)), size);
        assert_eq!(check(gpu, &mut scratch, "too large", &one, size, 0.4), 0);
    });
}

/// A peak beside a higher one is no seed in the 5×5×5 voxels around it, and one farther off.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn peaks_side_by_side() {
    let size = [12, 84, 84];
    let offsets = (0..49).map(|i| (i / 7, i % 7)).filter(|&offset| offset != (3, 3));
    // The lower ones of a pair lie up to three voxels off along y and x, and up to two along z.
    let pair = |(y, x): (usize, usize)| {
        let high = [4, y * 12 + 3, x * 12 + 3];
        let low = [2 + (y + x) % 5, y * 12 + y, x * 12 + x];
        [vec![high.map(|v| v as f32); 20], vec![low.map(|v| v as f32); 15]].concat()
    };
    let points = points(offsets.flat_map(pair), size);
    on_device(|gpu| {
        let labels = check(gpu, &mut Scratch::default(), "peaks", &points, size, 1.0);
        assert_eq!(labels, 48 + 24, "labels of the higher peaks, and of those out of their reach");
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn ends_of_the_network() {
    let gpu = gpu();
    let (flows, inside, size) = golden_flows();
    let points = follow::follow(&flows, &inside, size, 0.0, 200, Sampling::GridSample);
    let mut scratch = Scratch::default();
    assert_eq!(check(&gpu, &mut scratch, "stored maps", &points, size, 0.4), 59);
    assert!(check(&gpu, &mut scratch, "stored maps", &points, size, 0.003) < 59);
}
