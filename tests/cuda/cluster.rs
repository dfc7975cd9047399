//! Masks from end points against the twin on the processor.

use flowmask::Sampling;
use flowmask::cpu::{cluster, follow};
use flowmask::cuda::cluster::Scratch;
use flowmask::cuda::follow::Points;
use flowmask::cuda::{self, Buffer, Gpu};

use super::device::{gpu, on_device};
use super::follow::common::{self, Golden};

/// Clusters on both; returns how many labels there are.
pub fn check(
    gpu: &Gpu,
    scratch: &mut Scratch,
    what: &str,
    points: &follow::Points,
    size: (usize, usize),
    fraction: f64,
) -> usize {
    let want = cluster::cluster(points, size, fraction);
    let on_gpu = Points {
        pixels: Buffer::of(gpu, &points.pixels).unwrap(),
        ends: Buffer::of(gpu, &points.ends).unwrap(),
        count: Buffer::of(gpu, &[points.pixels.len() as u32]).unwrap(),
    };
    let mut labels = Buffer::new();
    cuda::cluster::cluster(gpu, &on_gpu, size, fraction, &mut labels, scratch).unwrap();
    let got = labels.download(gpu).unwrap();
    let wrong = got.iter().zip(&want).position(|(got, want)| got != want);
    assert_eq!(wrong, None, "{what} of {size:?}: the first wrong label");
    let count = common::cells(&want);
    assert_eq!(scratch.renumber.count.download(gpu).unwrap(), [count as u32], "{what} of {size:?}: labels");
    count
}

/// A number below `below` that looks random.
pub fn noise(i: usize, below: usize) -> usize {
    let mixed = (i as u32 + 1).wrapping_mul(2_654_435_769);
    ((mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) >> 7) as usize % below
}

/// Points from all pixels, or as many as there are ends.
fn points(ends: impl Iterator<Item = [f32; 2]>, (height, width): (usize, usize)) -> follow::Points {
    let ends: Vec<[f32; 2]> = ends.take(height * width).collect();
    follow::Points { pixels: (0..ends.len() as u32).collect(), ends }
}

/// Ends near the nodes of a grid of a pitch, so that counts of all kinds, ties and windows in windows come about.
pub fn crowds(size: (usize, usize), pitch: usize, spread: usize) -> follow::Points {
    let near = |i: usize, side: usize| (noise(i, side) / pitch * pitch + noise(7 * i, spread)) as f32 + 0.25;
    points((0..).map(|i| [near(2 * i, size.0), near(2 * i + 1, size.1)]), size)
}

const SIZES: [(usize, usize); 7] = [(61, 67), (1, 1), (1, 301), (211, 1), (4, 5), (16, 64), (7, 143)];

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn ends_that_look_random() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let mut labels = 0;
        for size in SIZES {
            for (pitch, spread) in [(1, 1), (4, 1), (5, 2), (6, 3), (9, 4), (16, 6)] {
                let points = crowds(size, pitch, spread);
                labels += check(gpu, &mut scratch, &format!("crowds {pitch}"), &points, size, 0.4);
                let half = follow::Points {
                    pixels: points.pixels.iter().map(|i| i / 2 * 2).step_by(2).collect(),
                    ends: points.ends.iter().copied().step_by(2).collect(),
                };
                labels += check(gpu, &mut scratch, &format!("half the crowds {pitch}"), &half, size, 1.0);
            }
            let none = follow::Points::default();
            assert_eq!(check(gpu, &mut scratch, "no points", &none, size, 0.4), 0);
        }
        assert!(labels > 400, "only {labels} labels");
        check(gpu, &mut scratch, "nothing", &follow::Points::default(), (0, 0), 0.4);
    });
}

/// Each plateau is many seeds of one count, and the later ones cover the earlier.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn plateaus_and_borders() {
    let size = (40, 45);
    let at = |y: usize, x: usize| [y as f32 + 0.5, x as f32 + 0.5];
    let repeat = |n: usize, ends: Vec<[f32; 2]>| ends.into_iter().flat_map(move |end| [end].repeat(n));
    let square = |top: usize, left: usize, side: usize| -> Vec<[f32; 2]> {
        (0..side * side).map(|i| at(top + i / side, left + i % side)).collect()
    };
    let corners =
        vec![at(0, 0), at(0, 44), at(39, 0), at(39, 44), at(0, 20), at(20, 0), at(39, 20), at(20, 44)];
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 1e9, -0.0, 40.0, 44.999];
    let broken = values.iter().flat_map(|&y| values.map(|x| [y, x])).collect();
    let kinds = [
        ("plateau", points(repeat(11, square(10, 12, 7)), size), 4),
        ("two plateaus", points(repeat(12, square(3, 3, 4)).chain(repeat(12, square(3, 9, 4))), size), 2),
        ("at the threshold", points(repeat(10, square(10, 12, 7)), size), 0),
        ("a bridge", points(repeat(20, corners.clone()).chain(repeat(3, square(0, 0, 12))), size), 8),
        ("corners", points(repeat(30, corners), size), 8),
        ("not finite", points(repeat(25, broken), size), 6),
        ("one pixel", points(repeat(1800, vec![at(17, 44)]), size), 1),
    ];
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for (what, points, labels) in &kinds {
            assert_eq!(check(gpu, &mut scratch, what, points, size, 1.0), *labels, "{what}");
        }
        // Exactly the allowed part stays, one pixel more goes.
        let one = points(repeat(720, vec![at(17, 44)]), size);
        assert_eq!(check(gpu, &mut scratch, "as large as allowed", &one, size, 0.4), 1);
        let one = points(repeat(721, vec![at(17, 44)]), size);
        assert_eq!(check(gpu, &mut scratch, "too large", &one, size, 0.4), 0);
    });
}

/// A peak beside a higher one is no seed in the 5×5 pixels around it, and one farther off.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn peaks_side_by_side() {
    let (pitch, size) = (12, (84, 84));
    let offsets = (0..49).map(|i| (i / 7, i % 7)).filter(|&offset| offset != (3, 3));
    let pair = |(y, x): (usize, usize)| {
        let (high, low) = ([y * pitch + 3, x * pitch + 3], [y * pitch + y, x * pitch + x]);
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
    let mut scratch = Scratch::default();
    for name in ["dynamics_nuclei_0", "dynamics_cyto_1"] {
        let golden = Golden::open(name);
        let (size, flows, cellprob) =
            (golden.get("cellprob").size(), golden.f32("dP"), golden.f32("cellprob"));
        for (niter, sampling) in [(200, Sampling::Bilinear), (17, Sampling::Nearest), (0, Sampling::Nearest)]
        {
            let points = follow::follow(&flows, &cellprob, size, 0.0, niter, sampling);
            for fraction in [0.4, 0.003] {
                check(&gpu, &mut scratch, &format!("{name} after {niter}"), &points, size, fraction);
            }
        }
    }
}
