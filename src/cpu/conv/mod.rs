//! Feature maps and the 3×3 convolutions on them.

mod simd;
mod winograd;

pub use winograd::{ConvSum, Kernel, Weights};

/// Channels of a map are stored in a multiple of this: the widest vector. Those beyond the last are zero.
pub const BLOCK: usize = 16;

/// A feature map `[height, width, channels]`, channels innermost.
#[derive(Clone, Debug)]
pub struct Map {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Stored channels, a multiple of [`BLOCK`].
    pub channels: usize,
    /// The values.
    pub data: Vec<f32>,
}

impl Map {
    /// A map of zeros with room for `channels`.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        let channels = channels.next_multiple_of(BLOCK);
        Map { height, width, channels, data: vec![0.0; height * width * channels] }
    }

    /// Row `y`, `[width, channels]`.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width * self.channels..][..self.width * self.channels]
    }
}
