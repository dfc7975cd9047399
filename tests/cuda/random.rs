//! Numbers and weights for tests of the network.

use flowmask::cuda::conv::GROUP;
use flowmask::model::network::{Affine, Conv, Linear};

/// Numbers from -1 to 1.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Rounded to half precision, so that only the kernels' own roundings differ.
    pub fn values(&mut self, len: usize, scale: f32) -> Vec<f32> {
        (0..len).map(|_| half::f16::from_f32(self.next() * scale).to_f32()).collect()
    }

    /// Padded rows.
    pub fn rows(&mut self, count: usize, channels: usize) -> Vec<f32> {
        let zeros = channels.next_multiple_of(GROUP) - channels;
        (0..count).flat_map(|_| [self.values(channels, 1.0), vec![0.0; zeros]].concat()).collect()
    }

    pub fn conv(&mut self, taps: usize, inputs: usize, outputs: usize) -> Conv {
        let scale = (2.0 / (taps * inputs) as f32).sqrt();
        let weight = self.values(taps * inputs * outputs, scale);
        Conv { inputs, outputs, weight, bias: self.values(outputs, 0.5) }
    }

    pub fn affine(&mut self, channels: usize) -> Affine {
        Affine { scale: self.values(channels, 2.0), shift: self.values(channels, 1.0) }
    }

    pub fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        Linear { weight: self.values(inputs * outputs, 1.0), bias: self.values(outputs, 0.5) }
    }
}
