//! `sharpen`: a circular sum over all pixels with a Gaussian that is as large as the image.

use flowmask::Compat;
use flowmask::cpu::sharpen::sharpen;
use proptest::prelude::*;

use crate::check::{close, config, noise, side};

/// The weight of each pixel at its distance from the sum's own, `[height, width]`, which sum to 1.
fn gaussian(height: usize, width: usize, stretched: bool, sigma: f64) -> Vec<f64> {
    let position = |i: usize, length: usize, extent: usize| {
        let step = if length > 1 { (extent as f64 + 1.0) / (length - 1) as f64 } else { 0.0 };
        i as f64 * step - extent as f64 / 2.0
    };
    let extent = if stretched { height } else { width };
    let exponents: Vec<f64> = (0..height * width)
        .map(|i| position(i / width, height, height).powi(2) + position(i % width, width, extent).powi(2))
        .map(|square| -square / (2.0 * sigma * sigma))
        .collect();
    let most = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = exponents.iter().map(|e| (e - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn small_images(
        (height, width, nchan) in (side(14), side(14), 1..3usize),
        smooth in prop_oneof![Just(0.0), 0.05..30.0],
        surround in prop_oneof![Just(0.0), 0.05..30.0],
        stretched in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let pixels = noise(seed.into(), height * width * nchan);
        let compat = if stretched { Compat::V3_1_1 } else { Compat::None };
        let middle = (height / 2) * width + width / 2;
        let mut kernel = vec![0.0; height * width];
        if smooth > 0.0 {
            kernel = gaussian(height, width, stretched, smooth);
        } else if surround == 0.0 {
            kernel[middle] = 1.0;
        }
        if surround > 0.0 {
            kernel.iter_mut().zip(gaussian(height, width, stretched, surround)).for_each(|(k, g)| *k -= g);
            if smooth == 0.0 {
                kernel[middle] = 1.0;
            }
        }
        let want: Vec<f64> = (0..pixels.len()).map(|i| {
            let (y, x, c) = (i / nchan / width, i / nchan % width, i % nchan);
            kernel.iter().enumerate().map(|(k, weight)| {
                let y = (y + k / width + height - height / 2) % height;
                let x = (x + k % width + width - width / 2) % width;
                weight * f64::from(pixels[(y * width + x) * nchan + c])
            }).sum()
        }).collect();
        let got = sharpen(&pixels, [height, width, nchan], smooth, surround, compat);
        close(&got, &want, |_| 1e-6, width * nchan)?;
    }
}
