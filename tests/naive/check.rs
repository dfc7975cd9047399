//! Random inputs and comparisons for the tests of this folder.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseResult};

/// The largest relative error of one operation in single precision: half the distance from 1 to the next number.
pub const ULP: f64 = 1.0 / (1 << 24) as f64;

/// A number of random cases, which are the same on every run.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(311),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The height or width of an image, with 1 more often than other lengths.
pub fn side(max: usize) -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(1), 6 => 1..=max]
}

/// `n` random numbers from -1 to 1 (splitmix64), for arrays that are too large to be drawn and shrunk number by number.
pub fn noise(seed: u64, n: usize) -> Vec<f32> {
    let value = |i: u64| {
        let mut z = seed.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n as u64).map(value).collect()
}

/// A label image, `[height, width]`.
#[derive(Clone, Debug)]
pub struct Labels {
    pub height: usize,
    pub width: usize,
    pub data: Vec<u32>,
}

/// Small label images: either random pixels, or rectangles painted over each other, which touch, enclose and cut each
/// other. Some labels are missing in between, and some exceed 16 bits.
pub fn labels() -> impl Strategy<Value = Labels> {
    const NUMBERS: [u32; 9] = [0, 0, 1, 2, 3, 5, 65535, 65536, 70001];
    (side(13), side(13)).prop_flat_map(|(height, width)| {
        let number = || proptest::sample::select(&NUMBERS[..]);
        let pixels = proptest::collection::vec(number(), height * width);
        let rectangle = (0..height, 0..width, 1..=height, 1..=width, number());
        let rectangles = proptest::collection::vec(rectangle, 0..9).prop_map(move |rectangles| {
            let mut data = vec![0; height * width];
            for (top, left, h, w, label) in rectangles {
                for y in top..height.min(top + h) {
                    data[y * width + left..y * width + width.min(left + w)].fill(label);
                }
            }
            data
        });
        prop_oneof![1 => pixels, 3 => rectangles].prop_map(move |data| Labels { height, width, data })
    })
}

/// Passes if all values are equal; otherwise the error names the first (row, column) that differs.
pub fn same<T: PartialEq + Debug>(got: &[T], want: &[T], width: usize) -> TestCaseResult {
    prop_assert_eq!(got.len(), want.len(), "lengths");
    if let Some(i) = (0..got.len()).find(|&i| got[i] != want[i]) {
        let at = (i / width, i % width);
        return Err(TestCaseError::fail(format!("at {at:?}: {:?} instead of {:?}", got[i], want[i])));
    }
    Ok(())
}

/// Passes if each value is within its own tolerance; otherwise the error names the first (row, column) that is not.
pub fn close(got: &[f32], want: &[f64], tolerance: impl Fn(usize) -> f64, width: usize) -> TestCaseResult {
    prop_assert_eq!(got.len(), want.len(), "lengths");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let (error, at) = ((f64::from(g) - w).abs(), (i / width, i % width));
        if error.is_nan() || error > tolerance(i) {
            let bound = tolerance(i);
            return Err(TestCaseError::fail(format!("at {at:?}: {g} instead of {w}, {error:e} > {bound:e}")));
        }
    }
    Ok(())
}
