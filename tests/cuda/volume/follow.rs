//! Walks in volumes against the twin on the processor.

use flowmask::Sampling;
use flowmask::cpu::volume::follow;
use flowmask::cuda::volume::follow::{Points, Scratch};
use flowmask::cuda::{self, Buffer, Gpu};

use super::{SIZES, Size, golden_flows, volume, voxels};
use crate::device::{gpu, on_device};
use crate::follow::noise;

/// Memory that one volume after the other uses.
#[derive(Default)]
pub struct Memory(Points, Scratch);

/// The bits, and one pattern for all that are no number: processors differ in those.
fn bits(point: [f32; 3]) -> [u32; 3] {
    point.map(|v| if v.is_nan() { 1 } else { v.to_bits() })
}

/// Follows `maps`, `[4, depth, height, width]`, on both.
pub fn check(
    gpu: &Gpu,
    memory: &mut Memory,
    what: &str,
    maps: &[f32],
    size: Size,
    threshold: f32,
    niter: u32,
) {
    let (flows, cellprob) = maps.split_at(3 * voxels(size));
    let on_gpu = Buffer::of(gpu, maps).unwrap();
    for sampling in [Sampling::Nearest, Sampling::GridSample] {
        let want = follow::follow(flows, cellprob, size, threshold, niter, sampling);
        let Memory(points, scratch) = &mut *memory;
        cuda::volume::follow::follow(gpu, &on_gpu, size, threshold, niter, sampling, points, scratch)
            .unwrap();
        let what = format!("{what} of {size:?}, {sampling:?}, {niter} steps");
        let n = want.voxels.len();
        assert_eq!(points.count.download(gpu).unwrap(), [n as u32], "{what}: points");
        assert_eq!(points.voxels.download(gpu).unwrap()[..n], want.voxels, "{what}: voxels");
        let ends = points.ends.download(gpu).unwrap();
        for (i, (&got, &want)) in ends.iter().zip(&want.ends).enumerate() {
            assert_eq!(bits(got), bits(want), "{what}: point {i} ends at {got:?}, not {want:?}");
        }
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn flows_that_look_random() {
    on_device(|gpu| {
        let mut memory = Memory::default();
        for size in SIZES {
            let maps: Vec<f32> = (0..4 * voxels(size)).map(|i| 6.0 * noise(i)).collect();
            for (threshold, niter) in [(0.0, 0), (0.0, 1), (0.5, 37), (-10.0, 7), (10.0, 5)] {
                check(gpu, &mut memory, "noise", &maps, size, threshold, niter);
            }
        }
        // The twin takes at least one voxel.
        let (Memory(points, scratch), nothing) = (&mut memory, Buffer::of(gpu, &[]).unwrap());
        let how = (0.0, 3, Sampling::GridSample);
        cuda::volume::follow::follow(gpu, &nothing, [0, 3, 5], how.0, how.1, how.2, points, scratch).unwrap();
        assert_eq!(points.count.download(gpu).unwrap(), [0]);
    });
}

/// Flows to a centre, around one, over the border, and large ones that are not finite.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn flows_of_a_kind() {
    let size = [9, 12, 15];
    let n = voxels(size);
    let maps = |flow: &dyn Fn(f32, f32, f32) -> [f32; 3]| {
        let flows = volume(size, |[z, y, x]| flow(z as f32 - 4.0, y as f32 - 5.5, x as f32 - 7.0));
        let axes = (0..3).flat_map(|axis| flows.iter().map(move |flow| flow[axis]));
        axes.chain((0..n).map(|i| noise(i) + 0.9)).collect::<Vec<f32>>()
    };
    let unit = |z: f32, y: f32, x: f32| 5.0 / z.hypot(y).hypot(x).max(1.0);
    let kinds: [(&str, Vec<f32>); 5] = [
        ("sink", maps(&|z, y, x| [-z, -y, -x].map(|v| v * unit(z, y, x)))),
        ("vortex", maps(&|z, y, x| [-0.5 * z, x - 0.2 * y, -y - 0.2 * x].map(|v| v * unit(z, y, x)))),
        ("turns", maps(&|z, y, x| [if (z + y + x + 0.5) % 2.0 == 0.0 { 5.0 } else { -5.0 }, 0.0, 0.0])),
        ("away", maps(&|z, y, x| [40.0 * z, 40.0 * y, 40.0 * x])),
        ("still", maps(&|_, _, _| [-0.0, 0.0, -0.0])),
    ];
    on_device(|gpu| {
        let mut memory = Memory::default();
        for (what, maps) in &kinds {
            for niter in [1, 2, 3, 61] {
                check(gpu, &mut memory, what, maps, size, 0.0, niter);
            }
        }
        let mut broken = kinds[0].1.clone();
        for (i, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX].into_iter().enumerate() {
            for (axis, step) in [(0, 97), (1, 89), (2, 83), (3, 79)] {
                broken[axis * n + i * step + 20] = value;
            }
        }
        check(gpu, &mut memory, "not finite", &broken, size, 0.0, 61);
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn flows_of_the_network() {
    let (flows, inside, size) = golden_flows();
    check(&gpu(), &mut Memory::default(), "stored maps", &[flows, inside].concat(), size, 0.0, 200);
}
