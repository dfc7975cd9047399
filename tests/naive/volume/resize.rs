//! `resize`: interpolation at the positions `(i + ½) · from / to - ½` along each axis.

use flowmask::cpu::volume::resize::{channels, nearest, volumes};
use proptest::prelude::*;

use super::{all, index, labels, size};
use crate::check::{ULP, close, config, noise, same};

/// The value at a voxel of the result: the weight of a source voxel falls linearly to 0 at a distance of 1.
fn value(source: &[f32], from: [usize; 3], to: [usize; 3], place: [usize; 3]) -> f64 {
    let at = [0, 1, 2].map(|axis| {
        let position = (place[axis] as f64 + 0.5) * (from[axis] as f64 / to[axis] as f64) - 0.5;
        position.clamp(0.0, (from[axis] - 1) as f64)
    });
    let weight = |place: [usize; 3]| -> f64 {
        (0..3).map(|axis| (1.0 - (at[axis] - place[axis] as f64).abs()).max(0.0)).product()
    };
    all(from).map(|place| weight(place) * f64::from(source[index(from, place)])).sum()
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn linear(from in size(7), to in size(9), count in 1..4usize, seed in any::<u64>()) {
        let n: usize = from.iter().product();
        let source = noise(seed, n * count);
        let want: Vec<f64> = source
            .chunks_exact(n)
            .flat_map(|volume| all(to).map(|place| value(volume, from, to, place)))
            .collect();
        // The position is rounded to single precision, and the slope is at most 2. Then come the products of values of
        // at most 1, and their sums.
        let bound = ULP * (2 * from.iter().sum::<usize>() + 18) as f64;
        let got = volumes(source.clone(), from, to);
        close(&got, &want, |_| bound, to[2])?;
        // The same numbers with the channels of a voxel together.
        let together = (0..n * count).map(|i| source[i % count * n + i / count]).collect();
        let interleaved = channels(together, from, to, count);
        let m: usize = to.iter().product();
        let want: Vec<f32> = (0..m * count).map(|i| got[i % count * m + i / count]).collect();
        same(&interleaved, &want, to[2] * count)?;
    }

    #[test]
    fn nearest_label(labels in labels(), to in size(17)) {
        let from = labels.size;
        let source = |place: [usize; 3]| [0, 1, 2].map(|axis| {
            // `cv2.resize` multiplies by the inverse of `to / from`.
            let step = 1.0 / (to[axis] as f64 / from[axis] as f64);
            ((place[axis] as f64 * step) as usize).min(from[axis] - 1)
        });
        let want: Vec<u32> = all(to).map(|place| labels.data[index(from, source(place))]).collect();
        same(&nearest(&labels.data, from, to), &want, to[2])?;
    }
}
