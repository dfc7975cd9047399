//! What is done to finished masks of volumes, against the twin on the processor.

use flowmask::Compat;
use flowmask::cpu::volume::components as cpu;
use flowmask::cuda::volume::components::{Boxes, Scratch, bounds, drop_edges, fill_holes_and_drop_small};
use flowmask::cuda::{Buffer, Gpu};

use super::{SIZES, Size, balls, first_difference, volume, voxels};
use crate::components::Noise;
use crate::device::on_device;
use crate::follow::common::Golden;
use crate::parts::dust;

const HOW: [(usize, Compat); 6] = [
    (0, Compat::None),
    (1, Compat::None),
    (15, Compat::None),
    (0, Compat::V3_1_1),
    (1, Compat::V3_1_1),
    (15, Compat::V3_1_1),
];

/// Returns whether a voxel of the background got a label.
pub fn fill(
    gpu: &Gpu,
    what: &str,
    labels: &[u32],
    size: Size,
    how: (usize, Compat),
    scratch: &mut Scratch,
) -> bool {
    let most = labels.iter().copied().max().unwrap_or(0);
    let mut want = labels.to_vec();
    cpu::fill_holes_and_drop_small(&mut want, size, how.0, how.1);
    let mut got = Buffer::of(gpu, labels).unwrap();
    fill_holes_and_drop_small(gpu, &mut got, size, most, how, scratch).unwrap();
    first_difference(&format!("{what} {how:?} {size:?}"), &got.download(gpu).unwrap(), &want, size);
    if how.0 > 0 || how.1 == Compat::None {
        let count = want.iter().copied().max().unwrap_or(0);
        assert_eq!(scratch.images.renumber.count.download(gpu).unwrap(), [count], "{what} {how:?}: labels");
    }
    labels.iter().zip(&want).any(|(&before, &after)| before == 0 && after != 0)
}

/// The faces of boxes, each over those before, and some voxels: holes in holes, labels of many pieces.
fn shells(size: Size, seed: u64) -> Vec<u32> {
    let mut noise = Noise(seed * 104_729 + 1);
    let mut labels = vec![0; voxels(size)];
    let most = 1 + noise.below(6);
    for _ in 0..3 + noise.below(8) {
        let first = size.map(|length| noise.below(length - 2));
        let last = [0, 1, 2].map(|axis| first[axis] + 2 + noise.below(size[axis] - first[axis] - 2));
        let label = noise.below(most + 1) as u32;
        let face = volume(size, |at| {
            let within = (0..3).all(|axis| (first[axis]..=last[axis]).contains(&at[axis]));
            within && (0..3).any(|axis| at[axis] == first[axis] || at[axis] == last[axis])
        });
        labels.iter_mut().zip(face).filter(|(_, face)| *face).for_each(|(voxel, _)| *voxel = label);
    }
    for _ in 0..noise.below(6) {
        let voxel = noise.below(labels.len());
        labels[voxel] = noise.below(most + 1) as u32;
    }
    labels
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn holes_and_small_masks() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for how in HOW {
            for (seed, size) in (0..).zip(SIZES) {
                fill(gpu, "balls", &balls(size, 12, 4, seed), size, how, &mut scratch);
            }
            fill(gpu, "no label", &[0; 105], [3, 5, 7], how, &mut scratch);
            let slabs: Vec<u32> = (0..180).map(|i| 2 + i / 30).collect();
            fill(gpu, "no background", &slabs, [3, 3, 20], how, &mut scratch);
            fill(gpu, "no voxel", &[], [0, 4, 2], how, &mut scratch);
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn masks_in_holes_of_masks() {
    on_device(|gpu| {
        let (mut scratch, mut filled) = (Scratch::default(), 0);
        for seed in 0..60 {
            let mut noise = Noise(seed + 1);
            let size = [3 + noise.below(5), 3 + noise.below(6), 3 + noise.below(40)];
            let labels = if seed % 4 == 0 { dust(voxels(size), 3, seed) } else { shells(size, seed) };
            let how = HOW[seed as usize % 2 * 3];
            filled += usize::from(fill(gpu, &format!("seed {seed}"), &labels, size, how, &mut scratch));
        }
        assert!(filled > 15, "{filled} volumes had holes");
    });
}

/// A hole that is open along one axis only, at each of its six ends; and one that is open at an edge or a corner is closed.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn ways_out_of_a_hole() {
    let size = [9, 8, 70];
    let middle = [4, 4, 33];
    let cube = volume(size, |at| u32::from((0..3).all(|axis| at[axis] > 0 && at[axis] + 1 < size[axis])));
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let mut check = |what: &str, open: &dyn Fn(Size) -> bool| {
            let hollow = volume(size, |at| open(at) || at == middle);
            let labels: Vec<u32> =
                cube.iter().zip(hollow).map(|(&label, open)| label * u32::from(!open)).collect();
            fill(gpu, what, &labels, size, (0, Compat::None), &mut scratch)
        };
        assert!(check("closed", &|_| false));
        for axis in 0..3 {
            let line = |at: Size| (0..3).all(|other| other == axis || at[other] == middle[other]);
            assert!(!check("up", &|at| line(at) && at[axis] > middle[axis]), "{axis}");
            assert!(!check("down", &|at| line(at) && at[axis] < middle[axis]), "{axis}");
        }
        // A stair of voxels that share edges.
        assert!(check("stair", &|[z, y, x]| y == middle[1] && x >= middle[2] && x - middle[2] + 4 == z));
    });
}

/// Around each other, and in the hole of a large mask whose box takes the memory of the device; and a long way out.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn large_boxes() {
    // More than 4096 words of 32 voxels.
    let size = [41, 53, 67];
    let rings = volume(size, |at| {
        let depth = (0..3).map(|axis| at[axis].min(size[axis] - 1 - at[axis])).min().unwrap();
        if depth == 8 && at[2] == 30 {
            0
        } else {
            [1, 0, 0, 2, 0, 3, 0, 0][depth % 8] * u32::from(depth < 13)
        }
    });
    // Plates with one gap each, at alternate corners.
    let snake = volume(size, |[z, y, x]| {
        let rim = y == 0 || x == 0 || y + 1 == size[1] || x + 1 == size[2];
        let gap = if z % 4 == 0 { (1, 1) } else { (size[1] - 2, size[2] - 2) };
        u32::from((rim || z % 2 == 0) && (y, x) != gap)
    });
    let mut closed = snake.clone();
    // The gaps of the outermost plates.
    for z in [0, 40] {
        (0..53 * 67).for_each(|i| closed[z * 53 * 67 + i] = 1);
    }
    let gpu = crate::device::gpu();
    let mut scratch = Scratch::default();
    for order in 0..4 {
        crate::device::schedule(order, true);
        fill(&gpu, "rings", &rings, size, (0, Compat::None), &mut scratch);
        assert!(!fill(&gpu, "a snake", &snake, size, (15, Compat::None), &mut scratch));
        assert!(fill(&gpu, "a closed snake", &closed, size, (15, Compat::None), &mut scratch));
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn holes_of_the_original() {
    let gpu = crate::device::gpu();
    let golden = Golden::open("volume_stages");
    let shape = |name: &str| golden.get(name).shape.clone().try_into().unwrap();
    let (labels, mut scratch) = (golden.u32("holes_in"), Scratch::default());
    for how in HOW {
        fill(&gpu, "holes", &labels, shape("holes_in"), how, &mut scratch);
    }
    fill(&gpu, "nuclei", &golden.u32("masks_raw"), shape("masks_raw"), (60, Compat::None), &mut scratch);
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn boxes_and_volumes() {
    on_device(|gpu| {
        let mut boxes = Boxes::default();
        for size in SIZES {
            let labels = balls(size, 12, 5, 2);
            let most = 3 + labels.iter().max().unwrap();
            let buffer = Buffer::of(gpu, &labels).unwrap();
            bounds(gpu, &buffer, size, most, &mut boxes).unwrap();
            let corners = boxes.corners.download(gpu).unwrap();
            let found = corners.chunks(6).map(|c| {
                let range = |axis: usize| !c[axis] as usize..c[3 + axis] as usize;
                (c[3] > 0).then(|| [range(0), range(1), range(2)])
            });
            let want = cpu::bounds(&labels, size);
            let none = std::iter::repeat_n(&None, most as usize - want.len());
            for (label, (got, want)) in (1..).zip(found.zip(want.iter().chain(none))) {
                assert_eq!(&got, want, "{size:?}: the box of label {label}");
            }
            let volumes = boxes.volumes.download(gpu).unwrap();
            for (label, &found) in (1..).zip(&volumes) {
                assert_eq!(
                    found as usize,
                    labels.iter().filter(|l| **l == label).count(),
                    "{size:?}, {label}"
                );
            }
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn masks_at_the_border() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let mut left = 0;
        for size in SIZES.into_iter().chain([[20, 20, 40]]) {
            // One voxel for each place near the six faces, too.
            let dots = volume(size, |[z, y, x]| {
                u32::from((z + y + x) % 3 == 0) * (1 + (z * 100 + y * 10 + x) as u32)
            });
            for labels in [balls(size, 30, 3, 4), dots] {
                let mut want = labels.clone();
                cpu::drop_edges(&mut want, size);
                let mut got = Buffer::of(gpu, &labels).unwrap();
                drop_edges(gpu, &mut got, size, *labels.iter().max().unwrap(), &mut scratch).unwrap();
                first_difference(&format!("{size:?}"), &got.download(gpu).unwrap(), &want, size);
                left += want.iter().filter(|label| **label != 0).count();
            }
        }
        assert!(left > 100, "{left} voxels are left");
        drop_edges(gpu, &mut Buffer::of(gpu, &[]).unwrap(), [0, 2, 3], 0, &mut scratch).unwrap();
    });
}

/// More labels than the block that walks the masks around others looks at in one go.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_masks_around_others() {
    let size = [27, 4 * 31, 4 * 31];
    let labels = volume(size, |[z, y, x]| {
        let cell = ((z / 4 * 31 + y / 4) * 31 + x / 4) as u32 * 3 + 1;
        match (z % 4, y % 4, x % 4) {
            (3, ..) | (_, 3, _) | (_, _, 3) => 0,
            (1, 1, 1) => cell + 1,
            _ => cell,
        }
    });
    assert!(labels.iter().max().unwrap() > &16_384);
    let gpu = crate::device::gpu();
    fill(&gpu, "rings", &labels, size, (0, Compat::V3_1_1), &mut Scratch::default());
}
