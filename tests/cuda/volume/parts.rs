//! One connected part for each label of a volume.

use flowmask::cpu::volume::parts::keep_largest_parts as expected;
use flowmask::cuda::volume::parts::{Scratch, keep_largest_parts};
use flowmask::cuda::{Buffer, Gpu};

use super::{SIZES, Size, balls, first_difference, volume, voxels};
use crate::device::on_device;
use crate::parts::dust;

pub fn check(gpu: &Gpu, what: &str, labels: &[u32], size: Size, scratch: &mut Scratch) -> bool {
    let mut want = labels.to_vec();
    expected(&mut want, size);
    let most = labels.iter().copied().max().unwrap_or(0);
    let mut got = Buffer::of(gpu, labels).unwrap();
    keep_largest_parts(gpu, &mut got, size, most, scratch).unwrap();
    first_difference(&format!("{what}, {size:?}"), &got.download(gpu).unwrap(), &want, size);
    want != labels
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn largest_parts() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let mut dropped = 0;
        for (seed, size) in (0..).zip(SIZES) {
            let drops = [
                check(gpu, "balls", &balls(size, 30, 5, seed), size, &mut scratch),
                check(gpu, "two labels", &dust(voxels(size), 1, seed), size, &mut scratch),
                check(gpu, "five labels", &dust(voxels(size), 4, seed), size, &mut scratch),
                check(gpu, "no label", &vec![0; voxels(size)], size, &mut scratch),
            ];
            dropped += drops.iter().filter(|drop| **drop).count();
        }
        assert!(dropped > 10, "{dropped} volumes had parts to drop");
        check(gpu, "no voxel", &[], [0, 4, 4], &mut scratch);
    });
}

/// Long ways within a part, whose ends are joined late, and rows of one plane that continue in the next without touching.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn winding_parts() {
    let size = [13, 15, 40];
    // Pillars along z, which are joined in the last plane only; and the ground between them.
    let comb = volume(size, |[z, y, x]| if x % 2 == 0 && y % 2 == 0 || z == 12 { 1 } else { 2 });
    // Plates that turn at alternate sides.
    let snake = volume(size, |[z, y, _]| match z % 4 {
        0 | 2 => 1,
        1 => 1 + u32::from(y > 0),
        _ => 1 + u32::from(y < 14),
    });
    // The last row of a plane and the first of the next are side by side in memory only.
    let apart = volume(size, |[z, y, _]| u32::from((z, y) == (3, 14) || z == 4 && y < 2));
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        assert!(!check(gpu, "comb", &comb, size, &mut scratch));
        assert!(check(gpu, "snake", &snake, size, &mut scratch));
        assert!(check(gpu, "apart", &apart, size, &mut scratch));
    });
}
