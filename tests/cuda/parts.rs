//! One connected part for each label.

use flowmask::cpu::parts::keep_largest_parts as expected;
use flowmask::cuda::parts::{Scratch, keep_largest_parts};
use flowmask::cuda::{Buffer, Gpu};

use crate::components::{Noise, blobs, first_difference};
use crate::device::on_device;

pub fn check(gpu: &Gpu, what: &str, labels: &[u32], size: (usize, usize), scratch: &mut Scratch) -> bool {
    let mut want = labels.to_vec();
    expected(&mut want, size.1);
    let most = labels.iter().copied().max().unwrap_or(0);
    let mut got = Buffer::of(gpu, labels).unwrap();
    keep_largest_parts(gpu, &mut got, size, most, scratch).unwrap();
    first_difference(&format!("{what}, {size:?}"), &got.download(gpu).unwrap(), &want, size);
    want != labels
}

/// Pixels of a few labels in no order: parts of all forms, and many that are equally large.
pub fn dust(pixels: usize, most: usize, seed: u64) -> Vec<u32> {
    let mut noise = Noise(seed * 7919 + 1);
    (0..pixels).map(|_| noise.below(most + 1) as u32).collect()
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn largest_parts() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let mut dropped = 0;
        for (i, size) in
            [(37, 71), (1, 300), (300, 1), (1, 1), (64, 32), (13, 256), (9, 33)].into_iter().enumerate()
        {
            let seed = i as u64;
            let drops = [
                check(gpu, "blobs", &blobs(size, 30, 9, seed), size, &mut scratch),
                check(gpu, "two labels", &dust(size.0 * size.1, 1, seed), size, &mut scratch),
                check(gpu, "five labels", &dust(size.0 * size.1, 4, seed), size, &mut scratch),
                check(gpu, "no label", &vec![0; size.0 * size.1], size, &mut scratch),
            ];
            dropped += drops.iter().filter(|drop| **drop).count();
        }
        assert!(dropped > 10, "{dropped} images had parts to drop");
        check(gpu, "no pixel", &[], (0, 4), &mut scratch);
    });
}

/// Long ways within a part, whose ends are joined late: a comb, a spiral and its ground.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn winding_parts() {
    let size = (70, 90);
    let image = |label: &dyn Fn(usize, usize) -> u32| -> Vec<u32> {
        (0..size.0 * size.1).map(|i| label(i / size.1, i % size.1)).collect()
    };
    let comb = image(&|y, x| if x % 2 == 0 || y == 69 { 1 } else { 2 });
    let rings = image(&|y, x| {
        let depth = y.min(x).min(size.0 - 1 - y).min(size.1 - 1 - x);
        if depth % 2 == 0 || (y == 35 && x < 40) { 1 } else { 2 }
    });
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        assert!(check(gpu, "comb", &comb, size, &mut scratch));
        assert!(check(gpu, "rings", &rings, size, &mut scratch));
    });
}
