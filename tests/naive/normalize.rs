//! `normalize`: `(x - low) / (high - low)` with the percentiles of the sorted channel.

use flowmask::cpu::normalize::{normalize, percentile};
use flowmask::{Compat, Normalize};
use proptest::prelude::*;

use crate::check::{ULP, close, config, noise};

/// The normalised values, and a bound of the error of each. `None` if rounding decides whether a channel has contrast.
fn reference(
    pixels: &[f32],
    (height, width, nchan): (usize, usize, usize),
    options: &Normalize,
    compat: Compat,
) -> Option<(Vec<f64>, Vec<f64>)> {
    let (mut out, mut bound) = (vec![0.0; pixels.len()], vec![0.0; pixels.len()]);
    let large = height * width > 224 * 224 * 224;
    let step = |length: usize| if large { (length / 224).max(1) } else { 1 };
    for c in 0..nchan {
        let at = |y: usize, x: usize| (y * width + x) * nchan + c;
        let all = (0..height * width).map(|i| pixels[i * nchan + c]);
        if all.clone().all(|v| v == pixels[c]) {
            continue;
        }
        let mut sorted = Vec::new();
        for y in (0..height).step_by(step(height)) {
            for x in (0..width).step_by(step(width)) {
                sorted.push(f64::from(pixels[at(y, x)]));
            }
        }
        sorted.sort_by(f64::total_cmp);
        let [low, high] = options.percentile.map(|q| of_sorted(&sorted, q));
        let (contrast, extent) = (high - low, low.abs() + high.abs());
        // Without bugs of the original, 16 spacings of single precision, which are twice its error of rounding.
        let least = match compat {
            Compat::None => 16.0 * 2.0 * ULP * low.abs().max(high.abs()),
            _ => 1e-3,
        };
        if (contrast - least).abs() <= 4.0 * ULP * extent + 1e-9 && contrast > 0.0 {
            return None;
        }
        for (i, value) in all.enumerate() {
            let y = if contrast > least { (f64::from(value) - low) / contrast } else { 0.0 };
            out[i * nchan + c] = if options.invert { 1.0 - y } else { y };
            // The roundings of `low` and `high` relative to the contrast, of two subtractions, a division and `1 - y`.
            bound[i * nchan + c] =
                1.01 * ULP * (extent / contrast.max(least).max(f64::MIN_POSITIVE) + 5.0) * (1.0 + y.abs());
        }
    }
    Some((out, bound))
}

/// The percentile by linear interpolation between the two values around the fractional rank.
fn of_sorted(sorted: &[f64], q: f64) -> f64 {
    let rank = q / 100.0 * (sorted.len() - 1) as f64;
    let (below, above) = (rank.floor() as usize, rank.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (rank - rank.floor())
}

fn options() -> impl Strategy<Value = Normalize> {
    let low = prop_oneof![Just(0.0), Just(1.0), 0.0..60.0];
    let high = prop_oneof![Just(100.0), Just(99.0), 60.1..100.0];
    (low, high, any::<bool>()).prop_map(|(low, high, invert)| {
        Normalize::default().enabled(true).percentile([low, high]).invert(invert)
    })
}

/// Channels with few different values (ties), with many, without contrast, and constant ones.
fn image() -> impl Strategy<Value = (usize, usize, usize, Vec<f32>)> {
    let channel = (
        proptest::sample::select(vec![0.0f32, -3.0, 10.0]),
        proptest::sample::select(vec![0.0f32, 1e-9, 3e-4, 0.7, 1000.0]),
        proptest::sample::select(vec![2u32, 5, 100_000]),
    );
    (1..12usize, 1..12usize, proptest::collection::vec(channel, 1..4), any::<u64>()).prop_map(
        |(height, width, channels, seed)| {
            let nchan = channels.len();
            let value = |(i, v): (usize, f32)| {
                let (base, step, kinds) = channels[i % nchan];
                base + step * ((v + 1.0) / 2.0 * kinds as f32).floor()
            };
            let pixels = noise(seed, height * width * nchan).into_iter().enumerate().map(value).collect();
            (height, width, nchan, pixels)
        },
    )
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn small_images((height, width, nchan, pixels) in image(), options in options(), original in any::<bool>()) {
        let compat = if original { Compat::V3_1_1 } else { Compat::None };
        let want = reference(&pixels, (height, width, nchan), &options, compat);
        prop_assume!(want.is_some());
        let (want, bound) = want.unwrap();
        let mut got = pixels;
        normalize(&mut got, height, width, nchan, &options, compat);
        close(&got, &want, |i| bound[i], width * nchan)?;
    }

    #[test]
    fn percentiles(mut values in proptest::collection::vec(-1e3f32..1e3, 1..40), q in 0.0..=100.0) {
        let mut sorted: Vec<f64> = values.iter().map(|&v| v.into()).collect();
        sorted.sort_by(f64::total_cmp);
        let want = of_sorted(&sorted, q);
        // One rounding in single precision, and the rounding of the rank in double precision.
        close(&[percentile(&mut values, q)], &[want], |_| ULP * want.abs() + 1e-10, 1)?;
    }
}

/// An image with more than 224³ pixels: the percentiles are those of a grid, whose step differs along the two axes.
fn large(height: usize, width: usize, pixel: impl Fn(usize, f32) -> f32) {
    let options = Normalize::default().invert(true);
    let pixels: Vec<f32> =
        noise(7, height * width).into_iter().enumerate().map(|(i, v)| pixel(i, v)).collect();
    let (want, bound) = reference(&pixels, (height, width, 1), &options, Compat::None).unwrap();
    let mut got = pixels;
    normalize(&mut got, height, width, 1, &options, Compat::None);
    close(&got, &want, |i| bound[i], width).unwrap();
}

#[test]
fn large_image() {
    // The steps are 1 and 275. The ramp makes the percentiles of the grid differ from those of the image.
    large(182, 61_801, |i, v| v * 3.0 + (i % 61_801 % 275) as f32);
}

#[test]
fn large_image_that_is_constant_on_the_grid() {
    large(182, 61_801, |i, v| if (i % 61_801).is_multiple_of(275) { 0.5 } else { v });
}
