//! What is done to finished masks, against the twin on the processor.

use flowmask::Compat;
use flowmask::cpu::components as cpu;
use flowmask::cuda::components::{
    Boxes, Scratch, areas, bounds, diameter, drop_edges, fill_holes_and_drop_small,
};
use flowmask::cuda::{Buffer, Gpu};
use flowmask::plan::diameter::areas_of;

use crate::device::on_device;
use crate::follow::common::Golden;

/// Numbers that look random (xorshift).
pub struct Noise(pub u64);

impl Noise {
    /// From 0 to below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }
}

/// Discs of radii up to `radius`, each over those before; their numbers have gaps and no order.
pub fn blobs((height, width): (usize, usize), count: usize, radius: usize, seed: u64) -> Vec<u32> {
    let mut noise = Noise(seed * 7919 + 1);
    let mut labels = vec![0; height * width];
    for _ in 0..count {
        let (y, x) = (noise.below(height), noise.below(width));
        let (r, label) = (noise.below(radius + 1).pow(2), 1 + noise.below(2 * count) as u32);
        for (i, pixel) in labels.iter_mut().enumerate() {
            if (i / width).abs_diff(y).pow(2) + (i % width).abs_diff(x).pow(2) <= r {
                *pixel = label;
            }
        }
    }
    labels
}

/// Rims of rectangles, each over those before, and some pixels: holes in holes, labels of many pieces.
fn rims((height, width): (usize, usize), seed: u64) -> Vec<u32> {
    let mut noise = Noise(seed * 104_729 + 1);
    let mut labels = vec![0; height * width];
    let most = 1 + noise.below(6);
    for _ in 0..3 + noise.below(8) {
        let (top, left) = (noise.below(height), noise.below(width));
        let (bottom, right) = (top + noise.below(height - top), left + noise.below(width - left));
        let label = noise.below(most + 1) as u32;
        for y in top..=bottom {
            for x in left..=right {
                if y == top || y == bottom || x == left || x == right {
                    labels[y * width + x] = label;
                }
            }
        }
    }
    for _ in 0..noise.below(6) {
        labels[noise.below(height * width)] = noise.below(most + 1) as u32;
    }
    labels
}

/// A label for each pixel, mostly `0`.
fn dust(pixels: usize, seed: u64) -> Vec<u32> {
    let mut noise = Noise(seed * 15_485_863 + 1);
    let most = 2 + noise.below(4);
    (0..pixels).map(|_| noise.below(most + 2) as u32 % (most as u32 + 1)).collect()
}

pub fn first_difference(what: &str, got: &[u32], want: &[u32], (_, width): (usize, usize)) {
    assert_eq!(got.len(), want.len(), "{what}");
    if let Some(i) = got.iter().zip(want).position(|(got, want)| got != want) {
        panic!("{what}: {} at {}, {}, not {}", got[i], i / width, i % width, want[i]);
    }
}

pub fn fill(
    gpu: &Gpu,
    what: &str,
    labels: &[u32],
    size: (usize, usize),
    how: (usize, Compat),
    scratch: &mut Scratch,
) {
    let most = labels.iter().copied().max().unwrap_or(0);
    let mut want = labels.to_vec();
    cpu::fill_holes_and_drop_small(&mut want, size.1, how.0, how.1);
    let mut got = Buffer::of(gpu, labels).unwrap();
    fill_holes_and_drop_small(gpu, &mut got, size, most, how, scratch).unwrap();
    first_difference(&format!("{what} {how:?}"), &got.download(gpu).unwrap(), &want, size);
    if how.0 > 0 || how.1 == Compat::None {
        let count = want.iter().copied().max().unwrap_or(0);
        assert_eq!(scratch.renumber.count.download(gpu).unwrap(), [count], "{what} {how:?}: labels");
    }
}

const HOW: [(usize, Compat); 6] = [
    (0, Compat::None),
    (1, Compat::None),
    (15, Compat::None),
    (0, Compat::V3_1_1),
    (1, Compat::V3_1_1),
    (15, Compat::V3_1_1),
];

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn holes_and_small_masks() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for how in HOW {
            for seed in 0..3 {
                let size = (3 + 13 * seed as usize, 40);
                fill(gpu, &format!("blobs {seed}"), &blobs(size, 20, 7, seed), size, how, &mut scratch);
            }
            fill(gpu, "one pixel", &[1], (1, 1), how, &mut scratch);
            fill(gpu, "one row", &blobs((1, 97), 9, 5, 1), (1, 97), how, &mut scratch);
            fill(gpu, "one column", &blobs((97, 1), 9, 5, 1), (97, 1), how, &mut scratch);
            fill(gpu, "no label", &[0; 35], (5, 7), how, &mut scratch);
            fill(
                gpu,
                "no background",
                &(0..180).map(|i| 2 + i / 30).collect::<Vec<_>>(),
                (9, 20),
                how,
                &mut scratch,
            );
            fill(gpu, "no pixel", &[], (0, 4), how, &mut scratch);
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn masks_in_holes_of_masks() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for seed in 0..60 {
            let mut noise = Noise(seed + 1);
            let size = (3 + noise.below(10), 3 + noise.below(40));
            let labels = if seed % 3 == 0 { dust(size.0 * size.1, seed) } else { rims(size, seed) };
            fill(gpu, &format!("seed {seed}"), &labels, size, HOW[seed as usize % 2 * 3], &mut scratch);
        }
    });
}

/// Around each other, and in the hole of a large mask whose box takes the memory of the device; and a long way out.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn large_boxes() {
    let size = (211, 193);
    let rings = |y: usize, x: usize| {
        let depth = y.min(x).min(size.0 - 1 - y).min(size.1 - 1 - x);
        if depth == 40 && x == 41 { 0 } else { [1, 0, 0, 2, 0, 3, 0, 0][depth % 8] * u32::from(depth < 60) }
    };
    let comb = |y: usize, x: usize| {
        let open = y % 4 == 1 && x != 0 && x + 1 != size.1 || y % 4 == 3 && x != 0;
        let gate =
            y.is_multiple_of(2) && y > 0 && y + 1 < size.0 && x == if y % 4 == 2 { size.1 - 2 } else { 1 };
        u32::from(!(open || gate) || (y, x) == (100, 0))
    };
    let image = |label: &dyn Fn(usize, usize) -> u32| -> Vec<u32> {
        (0..size.0 * size.1).map(|i| label(i / size.1, i % size.1)).collect()
    };
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        fill(gpu, "rings", &image(&rings), size, (0, Compat::None), &mut scratch);
        fill(gpu, "a comb", &image(&comb), size, (15, Compat::None), &mut scratch);
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn holes_of_the_original() {
    on_device(|gpu| {
        let labels = Golden::open("holes").u32("holes_in");
        let (size, mut scratch) = ((labels.len() / 80, 80), Scratch::default());
        for how in HOW {
            fill(gpu, "holes", &labels, size, how, &mut scratch);
        }
        let golden = Golden::open("dynamics_nuclei_0");
        let size = golden.get("cellprob").size();
        fill(gpu, "nuclei", &golden.u32("masks_qc"), size, (15, Compat::None), &mut scratch);
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn boxes_and_areas() {
    on_device(|gpu| {
        let (mut boxes, mut scratch) = (Boxes::default(), Scratch::default());
        for (size, count) in [((37, 71), 30), ((1, 300), 9), ((300, 1), 9), ((1, 1), 1), ((13, 256), 20)] {
            let labels = blobs(size, count, 9, 2);
            let most = 3 + labels.iter().max().unwrap();
            let buffer = Buffer::of(gpu, &labels).unwrap();
            bounds(gpu, &buffer, size, most, &mut boxes).unwrap();
            let corners = boxes.corners.download(gpu).unwrap();
            let found = corners.iter().map(|c| {
                let first = |corner: u32| !corner as usize;
                let (rows, columns) = (first(c[0])..c[2] as usize, first(c[1])..c[3] as usize);
                (c[2] > 0).then_some(cpu::Bounds { rows, columns })
            });
            let want = cpu::bounds(&labels, size.1);
            let none = std::iter::repeat_n(&None, most as usize - want.len());
            for (label, (got, want)) in (1..).zip(found.zip(want.iter().chain(none))) {
                assert_eq!(&got, want, "{size:?}: the box of label {label}");
            }
            let want = areas_of(labels.iter().copied());
            assert_eq!(areas(gpu, &buffer, size, most, &mut scratch).unwrap(), want, "{size:?}");
            let found = diameter(gpu, &buffer, size, most, &mut scratch).unwrap();
            assert_eq!(found.to_bits(), cpu::diameter(&labels).to_bits(), "{size:?}");
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn masks_at_the_border() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for (size, count) in
            [((37, 71), 30), ((1, 30), 4), ((30, 1), 4), ((1, 1), 1), ((3, 3), 4), ((50, 260), 30)]
        {
            let labels = blobs(size, count, 5, 4);
            let mut want = labels.clone();
            cpu::drop_edges(&mut want, size);
            let mut got = Buffer::of(gpu, &labels).unwrap();
            drop_edges(gpu, &mut got, size, *labels.iter().max().unwrap(), &mut scratch).unwrap();
            first_difference(&format!("{size:?}"), &got.download(gpu).unwrap(), &want, size);
        }
    });
}

/// More labels than the block that walks the masks around others looks at in one go.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_masks_around_others() {
    let gpu = crate::device::gpu();
    let (across, down) = (130, 130);
    let size = (4 * down, 4 * across);
    let label = |i: usize| {
        let (y, x) = (i / size.1, i % size.1);
        let ring = (y / 4 * across + x / 4) as u32 * 2 + 1;
        match (y % 4, x % 4) {
            (3, _) | (_, 3) => 0,
            (1, 1) => ring + 1,
            _ => ring,
        }
    };
    let labels: Vec<u32> = (0..size.0 * size.1).map(label).collect();
    assert!(labels.iter().max().unwrap() > &(2 * 16_384));
    fill(&gpu, "rings", &labels, size, (0, Compat::None), &mut Scratch::default());
}
