//! Bilinear and nearest resizing.

use flowmask::cpu::resize as expected;
use flowmask::cuda::{Buffer, resize};

use crate::channels::{assert_bits, noise};
use crate::device::on_device;

type Size = (usize, usize);

/// Down, up, by much and by little, one side alone, not at all, from and to a pixel.
const SIZES: [(Size, Size); 12] = [
    ((37, 53), (23, 31)),
    ((37, 53), (61, 90)),
    ((16, 33), (15, 34)),
    ((40, 7), (3, 90)),
    ((19, 20), (19, 41)),
    ((13, 29), (13, 29)),
    ((1, 1), (5, 3)),
    ((8, 9), (1, 1)),
    ((1, 40), (1, 13)),
    ((2, 2), (33, 65)),
    ((100, 3), (33, 1)),
    ((1, 1), (1, 1)),
];

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn linear_of_interleaved_channels() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (from, to) in SIZES {
            for channels in 1..4 {
                let values: Vec<f32> =
                    noise(from.0 * from.1 * channels, 4).iter().map(|v| (v - 0.5) * 1e3).collect();
                let source = Buffer::of(gpu, &values).unwrap();
                resize::linear(gpu, &source, from, to, channels, &mut out).unwrap();
                let want = expected::linear(&values, from, to, channels);
                let what = format!("{from:?} to {to:?}, {channels} channels");
                assert_bits(&what, &out.download(gpu).unwrap(), &want);
            }
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn linear_of_planes() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (from, to) in SIZES {
            // Zeros of both signs too.
            let values: Vec<f32> =
                noise(3 * from.0 * from.1, 5).iter().map(|v| if *v < 0.3 { -0.0 } else { v - 0.3 }).collect();
            let source = Buffer::of(gpu, &values).unwrap();
            resize::planes(gpu, &source, from, to, 3, &mut out).unwrap();
            let planes = values.chunks_exact(from.0 * from.1);
            let want: Vec<f32> = planes.flat_map(|plane| expected::linear(plane, from, to, 1)).collect();
            assert_bits(&format!("{from:?} to {to:?}"), &out.download(gpu).unwrap(), &want);
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn nearest() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (from, to) in SIZES {
            let labels: Vec<u32> = (0..from.0 as u32 * from.1 as u32).collect();
            let source = Buffer::of(gpu, &labels).unwrap();
            resize::nearest(gpu, &source, from, to, &mut out).unwrap();
            let (got, want) = (out.download(gpu).unwrap(), expected::nearest(&labels, from, to));
            assert_eq!(got.len(), want.len());
            let wrong = got.iter().zip(&want).position(|(got, want)| got != want);
            assert_eq!(wrong, None, "the first wrong label, {from:?} to {to:?}");
        }
    });
}

/// More rows than a grid has threads.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_rows() {
    let gpu = crate::device::gpu();
    let (from, to) = ((3, 1), (8 * 65_535 + 3, 1));
    let source = Buffer::of(&gpu, &[1.0, 5.0, -2.0]).unwrap();
    let mut out = Buffer::new();
    resize::linear(&gpu, &source, from, to, 1, &mut out).unwrap();
    assert_bits("many rows", &out.download(&gpu).unwrap(), &expected::linear(&[1.0, 5.0, -2.0], from, to, 1));
}
