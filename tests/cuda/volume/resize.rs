//! Resizing of volumes and their labels.

use flowmask::cpu::volume::resize as expected;
use flowmask::cuda::Buffer;
use flowmask::cuda::volume::resize;

use crate::channels::{assert_bits, noise};
use crate::device::on_device;

/// Down, up, one axis alone, two of them, none, from and to a voxel.
const SIZES: [([usize; 3], [usize; 3]); 9] = [
    ([5, 17, 23], [9, 11, 31]),
    ([5, 17, 23], [3, 20, 23]),
    ([6, 7, 33], [6, 9, 34]),
    ([4, 9, 13], [8, 9, 13]),
    ([9, 4, 5], [2, 4, 5]),
    ([3, 5, 7], [3, 5, 7]),
    ([1, 1, 1], [3, 2, 5]),
    ([2, 3, 40], [1, 1, 1]),
    ([1, 2, 2], [7, 9, 33]),
];

/// Zeros of both signs too.
fn values(len: usize) -> Vec<f32> {
    noise(len, 5).iter().map(|v| if *v < 0.3 { -0.0 } else { (v - 0.6) * 1e3 }).collect()
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn volumes_and_interleaved_channels() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (from, to) in SIZES {
            for count in [1, 2, 4] {
                let values = values(count * from.iter().product::<usize>());
                let source = Buffer::of(gpu, &values).unwrap();
                resize::volumes(gpu, &source, from, to, count, &mut out).unwrap();
                let want = expected::volumes(values.clone(), from, to);
                let what = format!("{from:?} to {to:?}, {count} volumes");
                assert_bits(&what, &out.download(gpu).unwrap(), &want);
                resize::channels(gpu, &source, from, to, count, &mut out).unwrap();
                let want = expected::channels(values, from, to, count);
                let what = format!("{from:?} to {to:?}, {count} channels");
                assert_bits(&what, &out.download(gpu).unwrap(), &want);
            }
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn nearest() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (from, to) in SIZES {
            let labels: Vec<u32> = (0..from.iter().product::<usize>() as u32).collect();
            let source = Buffer::of(gpu, &labels).unwrap();
            resize::nearest(gpu, &source, from, to, &mut out).unwrap();
            assert!(out.download(gpu).unwrap() == expected::nearest(&labels, from, to), "{from:?} to {to:?}");
        }
    });
}
