//! Stored pixels to channels.

use flowmask::cpu::channels::channels as expected;
use flowmask::cuda::channels::{Finite, Raw, channels, finite};
use flowmask::cuda::{Buffer, Gpu, Pinned};
use flowmask::{Image, Pixels};
use ndarray::{Array3, ShapeBuilder};

use crate::device::on_device;

/// The same bits; NaNs are not told apart.
#[track_caller]
pub fn assert_bits(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    let bits = |v: f32| if v.is_nan() { u32::MAX } else { v.to_bits() };
    if let Some(i) = (0..got.len()).find(|&i| bits(got[i]) != bits(want[i])) {
        panic!("{what}: at {i}: {:?} instead of {:?}", got[i], want[i]);
    }
}

/// Numbers from 0 to 1 that look random.
pub fn noise(len: usize, seed: u32) -> Vec<f32> {
    let number = |i: u32| {
        let mut x = (i ^ seed << 24).wrapping_add(1).wrapping_mul(0x9e37_79b9);
        x = (x ^ x >> 16).wrapping_mul(0x85eb_ca6b);
        (x ^ x >> 13) as f32 / u32::MAX as f32
    };
    (0..len as u32).map(number).collect()
}

/// The same picture in each type, in memory order and not.
fn pixels(shape: (usize, usize, usize)) -> Vec<Pixels> {
    let values = noise(shape.0 * shape.1 * shape.2, 1);
    let array = Array3::from_shape_vec(shape, values).unwrap();
    let mut columns = Array3::<u16>::zeros(shape.f());
    columns.assign(&array.mapv(|v| (v * 65_535.0) as u16));
    vec![
        Pixels::U8(array.mapv(|v| (v * 255.0) as u8)),
        Pixels::U16(array.mapv(|v| (v * 65_535.0) as u16)),
        Pixels::U16(columns),
        Pixels::F32(array.mapv(|v| v * 3e7 - 1e7)),
        Pixels::F32(array.mapv(|v| if v < 0.5 { -0.0 } else { 9e29 })),
    ]
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn channels_of_each_type() {
    on_device(|gpu| {
        let (mut raw, mut out) = (Raw::default(), Buffer::new());
        for shape in [(1, 300, 2), (1, 1, 1), (13, 37, 3), (31, 9, 5)] {
            for pixels in pixels(shape) {
                raw.upload(gpu, &pixels, &mut Pinned::default()).unwrap();
                let image = Image::new(pixels).unwrap();
                for (choice, nchan) in [([0, 0], 1), ([0, 0], 2), ([1, shape.2], 2), ([shape.2, 0], 2)] {
                    let size = (shape.0, shape.1);
                    channels(gpu, &raw, size, shape.2, choice, nchan, &mut out).unwrap();
                    let want = expected(&image, choice, nchan).unwrap();
                    let what = format!("{shape:?}, channels {choice:?} of {nchan}");
                    assert_bits(&what, &out.download(gpu).unwrap(), &want);
                }
            }
        }
    });
}

/// Whether the GPU finds all pixels finite.
fn finite_of(gpu: &Gpu, image: &Image) -> flowmask::Result<()> {
    let (mut raw, mut found) = (Raw::default(), Finite::default());
    raw.upload(gpu, image.pixels(), &mut Pinned::default()).unwrap();
    finite(gpu, &raw, [image.height(), image.width(), image.channels()], &mut found).unwrap();
    found.check(gpu, &raw)
}

/// Of several bad values in different blocks, the first is named; the limit itself is good.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn the_first_pixel_that_is_not_finite_is_named() {
    on_device(|gpu| {
        for (shape, bad) in [
            ((1, 1, 1), vec![]),
            ((1, 256, 1), vec![255]),
            ((40, 31, 3), vec![3719, 3700, 1502, 1501]),
            ((257, 1, 2), vec![513]),
            ((16, 16, 2), vec![0, 1, 511]),
            // Many threads write at once.
            ((64, 64, 1), (7..4096).collect()),
        ] {
            for value in [f32::NAN, f32::NEG_INFINITY, 1.1e30, -f32::MAX] {
                let mut array = Array3::from_elem(shape, -1e30);
                bad.iter().for_each(|&i| array.as_slice_mut().unwrap()[i] = value);
                let image = Image::new(Pixels::F32(array)).unwrap();
                let want = expected(&image, [0, 0], 2).map(drop).map_err(|e| e.to_string());
                assert_eq!(finite_of(gpu, &image).map_err(|e| e.to_string()), want);
                assert_eq!(want.is_ok(), bad.is_empty());
            }
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_are_those_of_the_processor() {
    on_device(|gpu| {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut array = Array3::zeros((4, 5, 3));
            array[[2, 3, 1]] = value;
            let image = Image::new(Pixels::F32(array)).unwrap();
            let want = expected(&image, [0, 0], 2).unwrap_err().to_string();
            assert_eq!(finite_of(gpu, &image).unwrap_err().to_string(), want);
            assert!(want.contains("row 2, column 3, channel 2"), "{want}");
        }
        let image = Image::new(Pixels::U8(Array3::zeros((4, 5, 3)))).unwrap();
        let mut raw = Raw::default();
        raw.upload(gpu, image.pixels(), &mut Pinned::default()).unwrap();
        for choice in [[4, 0], [1, 9]] {
            let want = expected(&image, choice, 2).unwrap_err().to_string();
            let got = channels(gpu, &raw, (4, 5), 3, choice, 2, &mut Buffer::new()).unwrap_err();
            assert_eq!(got.to_string(), want);
        }
    });
}
