//! `resize`: interpolation at the positions `(i + ½) · from / to - ½`.

use flowmask::cpu::resize::{linear, nearest};
use flowmask::plan::scale::scaled;
use proptest::prelude::*;

use crate::check::{ULP, close, config, labels, noise, same, side};

fn reference(source: &[f32], from: (usize, usize), to: (usize, usize), channels: usize) -> Vec<f64> {
    let mut out = Vec::new();
    // The position in the source, clamped to it.
    let position = |i: usize, from: usize, to: usize| {
        ((i as f64 + 0.5) * (from as f64 / to as f64) - 0.5).clamp(0.0, (from - 1) as f64)
    };
    for y in 0..to.0 {
        for x in 0..to.1 {
            for c in 0..channels {
                let (sy, sx) = (position(y, from.0, to.0), position(x, from.1, to.1));
                let mut sum = 0.0;
                // The weight of a source pixel falls linearly to 0 at a distance of 1.
                for j in 0..from.0 {
                    for i in 0..from.1 {
                        let weight =
                            (1.0 - (sy - j as f64).abs()).max(0.0) * (1.0 - (sx - i as f64).abs()).max(0.0);
                        sum += weight * f64::from(source[(j * from.1 + i) * channels + c]);
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn bilinear(
        from in (side(13), side(13)),
        to in (side(17), side(17)),
        channels in 1..4usize,
        seed in any::<u64>(),
    ) {
        let source = noise(seed, from.0 * from.1 * channels);
        let want = reference(&source, from, to, channels);
        let got = linear(&source, from, to, channels);
        // The position is rounded to single precision, and the slope is at most 2. Then come four products of values of
        // at most 1, and their sums.
        let bound = ULP * (2 * (from.0 + from.1) + 12) as f64;
        close(&got, &want, |_| bound, to.1 * channels)?;
    }

    #[test]
    fn scaled_side(side in 1..5000usize, num in 1..400u32, den in 1..400u32) {
        let scale = f64::from(num) / f64::from(den);
        let floor = (1..=side * 400).take_while(|&n| n as f64 <= side as f64 * scale).last();
        prop_assert_eq!(scaled(side, scale), floor.unwrap_or(1));
    }

    #[test]
    fn nearest_label(labels in labels(), to in (side(29), side(29))) {
        let (rows, columns) = (sources(labels.height, to.0), sources(labels.width, to.1));
        let pixel = |y: usize, x: usize| labels.data[y * labels.width + x];
        let want: Vec<u32> = rows.iter().flat_map(|&y| columns.iter().map(move |&x| pixel(y, x))).collect();
        same(&nearest(&labels.data, (labels.height, labels.width), to), &want, to.1)?;
    }
}

/// `floor(i · from / to)` with the roundings of `cv2.resize`, which multiplies by the inverse of `to / from`. The
/// roundings decide where a position lies on the boundary of two pixels. OpenCV 4.11 and 5.0 agree with this for all
/// lengths below 130; they agree neither with `i · (from / to)` nor with integer arithmetic.
fn sources(from: usize, to: usize) -> Vec<usize> {
    let step = 1.0 / (to as f64 / from as f64);
    (0..to).map(|i| ((i as f64 * step) as usize).min(from - 1)).collect()
}

#[test]
fn nearest_at_boundaries() {
    for from in 1..130 {
        let source: Vec<u32> = (0..from as u32).collect();
        for to in 1..130 {
            let want: Vec<u32> = sources(from, to).into_iter().map(|i| i as u32).collect();
            let got = nearest(&source, (1, from), (1, to));
            same(&got, &want, to).unwrap_or_else(|e| panic!("{from} to {to}: {e}"));
        }
    }
}
