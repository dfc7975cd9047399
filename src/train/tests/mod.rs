//! Each stage beside naive judges in double precision: central differences for what goes backward.

mod conv;
mod network;
mod stages;

use super::maps::Maps;
use crate::model::params::{BatchNorm, Conv, Layer};

/// The step of the differences. Their error is about its square, and the rounding of a double divided by it.
const STEP: f64 = 1e-5;

/// Random numbers from −1 to 1 (xorshift64).
struct Random(u64);

impl Random {
    fn number(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn numbers(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.number()).collect()
    }

    fn maps(&mut self, size: [usize; 4]) -> Maps<f64> {
        let mut maps = Maps::zeros(size);
        maps.data = self.numbers(maps.data.len());
        maps
    }

    fn conv(&mut self, inputs: usize, outputs: usize, taps: usize) -> Conv<f64> {
        Conv { inputs, outputs, weight: self.numbers(outputs * inputs * taps), bias: self.numbers(outputs) }
    }

    fn norm(&mut self, channels: usize) -> BatchNorm<f64> {
        BatchNorm {
            weight: self.numbers(channels),
            bias: self.numbers(channels),
            running_mean: vec![0.0; channels],
            running_var: vec![1.0; channels],
        }
    }

    fn layer(&mut self, inputs: usize, outputs: usize, taps: usize) -> Layer<f64> {
        Layer { norm: self.norm(inputs), conv: self.conv(inputs, outputs, taps) }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest difference of two arrays.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Asserts that `gradient` holds the derivatives of `f` in the values that `array` finds in `state`.
fn judge<S: Clone>(
    name: &str,
    state: &S,
    array: impl Fn(&mut S) -> &mut Vec<f64>,
    gradient: &[f64],
    f: impl Fn(S) -> f64,
) {
    let moved = |i: usize, by: f64| {
        let mut state = state.clone();
        array(&mut state)[i] += by;
        f(state)
    };
    let count = array(&mut state.clone()).len();
    let slopes: Vec<f64> = (0..count).map(|i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * STEP)).collect();
    let size = slopes.iter().fold(1.0f64, |size, v| size.max(v.abs()));
    let error = difference(&slopes, gradient) / size;
    assert!(error < 1e-7, "{name}: {error:.1e}");
}
