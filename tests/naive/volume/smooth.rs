//! `smooth`: a Gaussian, cut off at four standard deviations, over a volume that is mirrored at its borders.

use flowmask::cpu::volume::smooth::smooth;
use proptest::prelude::*;

use super::{all, index, size};
use crate::check::{ULP, close, config, noise};

/// The place in the volume that a mirrored place stands for: d c b a | a b c d | d c b a.
fn mirrored(mut i: i64, length: i64) -> usize {
    while !(0..length).contains(&i) {
        i = if i < 0 { -1 - i } else { 2 * length - 1 - i };
    }
    i as usize
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn along_each_axis(
        size in size(8),
        sigma in proptest::array::uniform3(prop_oneof![Just(0.0), 0.05..4.0f64]),
        seed in any::<u64>(),
    ) {
        let n: usize = size.iter().product();
        let mut got = noise(seed, 2 * n);
        let mut want: Vec<f64> = got.iter().map(|&v| v.into()).collect();
        for axis in 0..3 {
            let reach = (4.0 * sigma[axis] + 0.5).floor() as i64;
            if sigma[axis] == 0.0 {
                continue;
            }
            let weight = |k: i64| (-((k * k) as f64) / (2.0 * sigma[axis] * sigma[axis])).exp();
            let total: f64 = (-reach..=reach).map(weight).sum();
            want = want.chunks_exact(n).flat_map(|volume| all(size).map(move |place| {
                let at = |k: i64| {
                    let mut near = place;
                    near[axis] = mirrored(place[axis] as i64 + k, size[axis] as i64);
                    volume[index(size, near)]
                };
                (-reach..=reach).map(|k| weight(k) / total * at(k)).sum::<f64>()
            })).collect::<Vec<f64>>();
        }
        smooth(&mut got, size, sigma);
        // Values of at most 1 are rounded once for each axis.
        close(&got, &want, |_| 4.0 * ULP, size[2])?;
    }
}
