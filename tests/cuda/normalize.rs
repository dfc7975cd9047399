//! Percentile normalisation.

use flowmask::cpu::normalize::normalize as expected;
use flowmask::cuda::normalize::{Scratch, normalize, scale};
use flowmask::cuda::{Buffer, Gpu};
use flowmask::{Compat, Normalize};

use crate::channels::{assert_bits, noise};
use crate::device::{gpu, on_device};

/// [height, width, nchan] and pixels.
type Case = ([usize; 3], Vec<f32>);

pub fn compare(
    gpu: &Gpu,
    ([height, width, nchan], pixels): &Case,
    options: &Normalize,
    scratch: &mut Scratch,
) {
    for compat in [Compat::None, Compat::V3_1_1] {
        let mut want = pixels.clone();
        expected(&mut want, *height, *width, *nchan, options, compat);
        let mut buffer = Buffer::of(gpu, pixels).unwrap();
        normalize(gpu, &mut buffer, *height, *width, *nchan, (options, compat), scratch).unwrap();
        let first = &pixels[..*nchan];
        let what = format!("{height} by {width}, {nchan} channels, {options:?}, {compat:?}, from {first:?}");
        assert_bits(&what, &buffer.download(gpu).unwrap(), &want);
    }
}

fn cases() -> Vec<Case> {
    let of = |shape: [usize; 3], value: &dyn Fn(f32, usize) -> f32| {
        let values = noise(shape.iter().product(), 2);
        (shape, values.iter().enumerate().map(|(i, &v)| value(v, i)).collect())
    };
    let mut cases = vec![
        // Around zero; ties; one channel of each kind.
        of([13, 17, 1], &|v, _| v - 0.5),
        of([11, 40, 2], &|v, i| if i % 2 == 0 { (v * 5.0).floor() - 2.0 } else { v * 1e4 }),
        // Zeros of both signs and some more.
        of([9, 31, 1], &|v, _| [-0.0, 0.0, -1.0, 1.0][(v * 3.999) as usize]),
        of([6, 50, 1], &|v, _| if v < 0.5 { -0.0 } else { 0.0 }),
        // Constant, but of two zeros, beside a channel of little contrast.
        of([6, 50, 2], &|v, i| if i % 2 == 0 { if v < 0.5 { -0.0 } else { 0.0 } } else { 2.0 + v * 5e-4 }),
        // Percentiles around the limit of contrast, 16 spacings apart, on both sides of zero; and smaller than any limit.
        of([9, 40, 2], &|_, i| [1.0, -1.0][i % 2] * (1.0 + (i / 2 % 16) as f32 * f32::EPSILON)),
        of([9, 40, 2], &|_, i| [1.0, -1.0][i % 2] * (1.0 + (i / 2 % 20) as f32 * f32::EPSILON)),
        of([9, 40, 2], &|v, i| v * [1e-12, 1e-40][i % 2]),
        // One value that is not the others'.
        of([7, 43, 1], &|_, i| if i == 300 { 9.0 } else { 7.0 }),
        of([5, 5, 2], &|_, i| if i % 2 == 0 { 3.0 } else { 65_535.0 }),
        // Every size of number.
        of([12, 29, 1], &|v, i| (v - 0.5) * 10f32.powi(i as i32 % 70 - 35)),
        of([4, 4, 1], &|v, _| if v < 0.5 { f32::MIN_POSITIVE } else { 1e30 }),
    ];
    for size in [[1, 1], [1, 2], [2, 1], [1, 3], [3, 2]] {
        cases.push(of([size[0], size[1], 1], &|v, _| (v * 1000.0).floor()));
        cases.push(of([size[0], size[1], 2], &|v, _| v));
    }
    cases
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn small_images() {
    let options =
        |low, high, invert| Normalize::default().enabled(true).percentile([low, high]).invert(invert);
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for case in cases() {
            for options in [options(1.0, 99.0, false), options(0.0, 100.0, true), options(12.3, 50.0, true)] {
                compare(gpu, &case, &options, &mut scratch);
            }
        }
    });
}

/// The two numbers of each channel become 0 and 1; a channel that an image does not have stays zeros.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn lowhigh() {
    let ranges = [[-0.5, 40.25], [3.0, 7.0]];
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for (shape, pixels) in cases() {
            let [height, width, nchan] = shape;
            let values = || Buffer::of(gpu, &pixels).unwrap();
            for invert in [false, true] {
                let options = Normalize::default().lowhigh(Some(ranges)).invert(invert);
                let mut want = pixels.clone();
                expected(&mut want, height, width, nchan, &options, Compat::None);
                let mut all = values();
                scale(gpu, &mut all, height * width, nchan, &ranges[..nchan], invert, &mut scratch).unwrap();
                assert_bits(&format!("{shape:?}"), &all.download(gpu).unwrap(), &want);
                let mut first = values();
                scale(gpu, &mut first, height * width, nchan, &ranges[..1], invert, &mut scratch).unwrap();
                want.iter_mut().skip(1).step_by(2).filter(|_| nchan == 2).for_each(|value| *value = 0.0);
                assert_bits(&format!("{shape:?}, one"), &first.download(gpu).unwrap(), &want);
            }
        }
    });
}

/// 16-bit noise and a dark ground, in several blocks.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn several_blocks() {
    on_device(|gpu| {
        let shape = [111, 157, 2];
        let values = noise(shape.iter().product(), 3);
        let pixels = values.iter().map(|&v| if v < 0.6 { 200.0 } else { (v * 65_535.0).floor() }).collect();
        compare(gpu, &(shape, pixels), &Normalize::default(), &mut Scratch::default());
    });
}

/// More than 224³ values: the percentiles come from a grid in the image, with steps of 1 and 275. A ramp gives the grid
/// other percentiles than the image has.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn large_image() {
    let gpu = gpu();
    let (height, width) = (182, 61_801);
    let pixels = (0..height * width).map(|i| (i % 7919) as f32 + (i % width % 275) as f32).collect();
    let options = Normalize::default().invert(true);
    compare(&gpu, &([height, width, 1], pixels), &options, &mut Scratch::default());
}
