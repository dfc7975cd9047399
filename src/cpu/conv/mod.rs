//! Feature maps and the 3×3 convolutions on them.
//!
//! A convolution uses Winograd's F(4×4, 3×3), which takes 36 multiplications for 16 pixels where the plain sum takes
//! 144. With the matrices of Lavin & Gray (arXiv 1509.09308):
//! * a patch `d` of 6×6 pixels becomes `Bᵀ d B`, and the 3×3 taps `g` become `G g Gᵀ`;
//! * these are multiplied value by value and summed over the channels: a matrix product for each of the 36 values;
//! * `Aᵀ m A` of the products `m` gives 4×4 pixels of the result.
//!
//! A map that is taken at twice its size needs only 25 products (`Doubled` in `transform.rs`).
//!
//! Each thread takes a band of rows at a time. Its patches go through in portions that stay in the L2 cache from the
//! first transform to the last. What stands before and after the convolution (batch norm, ReLU, sums, pooling) is
//! computed within the transforms.

mod band;
mod gradient;
mod isa;
mod outer;
mod plain;
mod product;
mod read;
mod simd;
mod spread;
mod sum;
mod transform;
mod weights;
mod window;
mod write;

pub use super::memory::Floats;
pub use gradient::{Batch, weight_gradient};
pub use isa::Isa;
pub use plain::{PlainWeights, convolve};
pub use sum::ConvSum;
pub use weights::Weights;
pub use window::Window;

/// Output channels that a matrix product computes together; the weights are stored in panels of as many columns.
const PANEL: usize = 32;

/// Floats in the widest vector, that of AVX-512. Maps store a multiple of this many channels, the added ones zero.
pub const WIDEST_VECTOR: usize = 16;

/// A feature map `[height, width, channels]`, channels innermost.
#[derive(Clone, Debug)]
pub struct Map {
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
    /// Stored channels, a multiple of [`WIDEST_VECTOR`].
    pub channels: usize,
    /// The values; it may be longer than the map, whose values come first.
    pub data: Floats,
}

impl Map {
    /// A map of zeros with at least `channels` channels.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        let channels = channels.next_multiple_of(WIDEST_VECTOR);
        Map { height, width, channels, data: Floats::zeros(height * width * channels) }
    }

    /// Takes the shape of another map. The values are lost.
    pub fn resize(&mut self, other: &Map) {
        (self.height, self.width, self.channels) = (other.height, other.width, other.channels);
        self.data.grow(self.len());
    }

    /// The number of values in use.
    pub(super) fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Row `y`, `[width, channels]`.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width * self.channels..][..self.width * self.channels]
    }
}
