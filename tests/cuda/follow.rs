//! Walks against the twin on the processor.

use flowmask::Sampling;
use flowmask::cpu::follow;
use flowmask::cuda::follow::{Points, Scratch};
use flowmask::cuda::{self, Buffer, Gpu};

use super::device::{gpu, on_device};
use common::Golden;

#[path = "../common/mod.rs"]
pub mod common;

const SAMPLINGS: [Sampling; 3] = [Sampling::Bilinear, Sampling::Nearest, Sampling::GridSample];

/// Numbers from -1 to 1 that look random.
pub fn noise(i: usize) -> f32 {
    let mixed = (i as u32 + 1).wrapping_mul(2_654_435_769);
    (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) as i32 as f32 / 2f32.powi(31)
}

/// The bits, and one pattern for all that are no number: processors differ in those.
fn bits([y, x]: [f32; 2]) -> [u32; 2] {
    [y, x].map(|v| if v.is_nan() { 1 } else { v.to_bits() })
}

/// Memory that one image after the other uses.
#[derive(Default)]
pub struct Memory(Points, Scratch);

/// Follows `maps`, `[3, height, width]`, on both.
pub fn check(
    gpu: &Gpu,
    memory: &mut Memory,
    what: &str,
    maps: &[f32],
    size: (usize, usize),
    threshold: f32,
    niter: u32,
) {
    let (flows, cellprob) = maps.split_at(2 * size.0 * size.1);
    let on_gpu = Buffer::of(gpu, maps).unwrap();
    for sampling in SAMPLINGS {
        let want = follow::follow(flows, cellprob, size, threshold, niter, sampling);
        let Memory(points, scratch) = &mut *memory;
        cuda::follow::follow(gpu, &on_gpu, size, threshold, niter, sampling, points, scratch).unwrap();
        let what = format!("{what} of {size:?}, {sampling:?}, {niter} steps");
        let n = want.pixels.len();
        assert_eq!(points.count.download(gpu).unwrap(), [n as u32], "{what}: points");
        assert_eq!(points.pixels.download(gpu).unwrap()[..n], want.pixels, "{what}: pixels");
        let ends = points.ends.download(gpu).unwrap();
        for (i, (&got, &want)) in ends.iter().zip(&want.ends).enumerate() {
            assert_eq!(bits(got), bits(want), "{what}: point {i} ends at {got:?}, not {want:?}");
        }
    }
}

const SIZES: [(usize, usize); 7] = [(37, 41), (1, 1), (1, 83), (67, 1), (2, 2), (16, 32), (3, 257)];

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn flows_that_look_random() {
    on_device(|gpu| {
        let mut memory = Memory::default();
        for size in SIZES {
            let maps: Vec<f32> = (0..3 * size.0 * size.1).map(|i| 6.0 * noise(i)).collect();
            for (threshold, niter) in [(0.0, 0), (0.0, 1), (0.5, 37), (-10.0, 7), (10.0, 5)] {
                check(gpu, &mut memory, "noise", &maps, size, threshold, niter);
            }
        }
        check(gpu, &mut memory, "nothing", &[], (0, 0), 0.0, 3);
    });
}

/// Flows to a centre, around one, over the border, and large ones that are not finite.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn flows_of_a_kind() {
    let (height, width) = (23, 29);
    let maps = |flow: &dyn Fn(f32, f32) -> [f32; 2]| {
        let flows: Vec<[f32; 2]> =
            (0..height * width).map(|i| flow((i / width) as f32 - 11.0, (i % width) as f32 - 14.0)).collect();
        let (ys, xs) = (flows.iter().map(|f| f[0]), flows.iter().map(|f| f[1]));
        ys.chain(xs).chain((0..height * width).map(|i| noise(i) + 0.9)).collect::<Vec<f32>>()
    };
    let unit = |y: f32, x: f32| 5.0 / y.hypot(x).max(1.0);
    let kinds: [(&str, Vec<f32>); 5] = [
        ("sink", maps(&|y, x| [-y * unit(y, x), -x * unit(y, x)])),
        ("vortex", maps(&|y, x| [(x - 0.2 * y) * unit(y, x), (-y - 0.2 * x) * unit(y, x)])),
        ("turns", maps(&|y, x| if (y + x) % 2.0 == 0.0 { [5.0, 0.0] } else { [-5.0, 0.0] })),
        ("away", maps(&|y, x| [40.0 * y, 40.0 * x])),
        ("still", maps(&|_, _| [-0.0, 0.0])),
    ];
    on_device(|gpu| {
        let mut memory = Memory::default();
        for (what, maps) in &kinds {
            for niter in [1, 2, 3, 61] {
                check(gpu, &mut memory, what, maps, (height, width), 0.0, niter);
            }
        }
        let mut broken = kinds[0].1.clone();
        for (i, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX].into_iter().enumerate() {
            broken[i * 97 + 20] = value;
            broken[height * width + i * 89 + 31] = value;
            broken[2 * height * width + i * 83 + 40] = value;
        }
        check(gpu, &mut memory, "not finite", &broken, (height, width), 0.0, 61);
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn flows_of_the_network() {
    let gpu = gpu();
    let mut memory = Memory::default();
    for name in ["dynamics_nuclei_0", "dynamics_cyto_1"] {
        let golden = Golden::open(name);
        let maps = [golden.f32("dP"), golden.f32("cellprob")].concat();
        check(&gpu, &mut memory, name, &maps, golden.get("cellprob").size(), 0.0, 200);
    }
}
