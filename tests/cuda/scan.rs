//! Prefix sums against a plain loop.

use flowmask::cuda::Buffer;
use flowmask::cuda::scan::{Scratch, scan};

use super::device::on_device;

fn expected(values: &[u32]) -> Vec<u32> {
    let mut sum = 0u32;
    let mut sums = vec![0];
    sums.extend(values.iter().map(|&value| {
        sum = sum.wrapping_add(value);
        sum
    }));
    sums
}

/// Numbers that look random.
fn noise(len: usize, below: u32) -> Vec<u32> {
    (0..len as u32).map(|i| ((i + 1).wrapping_mul(2_654_435_769) >> 8) % below).collect()
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn sums_of_all_before() {
    on_device(|gpu| {
        let (mut sums, mut scratch) = (Buffer::new(), Scratch::default());
        // Longer ones first, so that the later ones find memory that is too long and used.
        for len in [20_011, 8192, 4097, 4096, 4095, 1000, 129, 128, 33, 5, 4, 3, 2, 1, 0] {
            for values in [noise(len, 1000), vec![1; len], vec![u32::MAX; len], vec![0; len]] {
                scan(gpu, &Buffer::of(gpu, &values).unwrap(), len, &mut sums, &mut scratch).unwrap();
                let (got, want) = (sums.download(gpu).unwrap(), expected(&values));
                assert_eq!(got.len(), want.len());
                let wrong = got.iter().zip(&want).position(|(got, want)| got != want);
                assert_eq!(wrong, None, "the first wrong sum of {len} values");
            }
        }
    });
}

/// More tiles than a block sums at once: 4096 tiles of 4096 values each, and some.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn sums_over_many_tiles() {
    let gpu = super::device::gpu();
    let values = noise((1 << 24) + 10_001, 256);
    let mut sums = Buffer::new();
    scan(&gpu, &Buffer::of(&gpu, &values).unwrap(), values.len(), &mut sums, &mut Scratch::default())
        .unwrap();
    let wrong = sums.download(&gpu).unwrap().iter().zip(expected(&values)).position(|(&g, w)| g != w);
    assert_eq!(wrong, None, "the first wrong sum");
}
