//! Feature maps and the 3×3 convolutions on them.
//!
//! A convolution goes by Winograd's F(4×4, 3×3): 36 multiplications for 16 pixels where the plain sum takes 144.
//!
//! With the matrices of Lavin & Gray (arXiv 1509.09308): a patch `d` of 6×6 pixels becomes `Bᵀ d B`, a kernel
//! `g` becomes `G g Gᵀ`; they are multiplied value by value and summed over the channels, which is a matrix
//! product for each of the 36 values; and `Aᵀ m A` are 4×4 pixels of the result. For a map that is taken at twice
//! its size, 25 products do (`Doubled` in `transform.rs`).
//!
//! Work goes through in blocks of patches that stay in the L2 cache from the first transform to the last. All
//! that stands before and after the convolution happens in the transforms.

mod block;
mod isa;
mod product;
mod read;
mod simd;
mod sum;
mod transform;
mod weights;
mod write;

pub use super::memory::Floats;
pub use isa::Isa;
pub use sum::ConvSum;
pub use weights::Weights;

/// Outputs that a product computes together.
const PANEL: usize = 32;

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
    /// The values, and perhaps more that are not used.
    pub data: Floats,
}

impl Map {
    /// A map of zeros with room for `channels`.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        let channels = channels.next_multiple_of(BLOCK);
        Map { height, width, channels, data: Floats::zeros(height * width * channels) }
    }

    /// Gives it the size of another map. What it held is lost.
    pub fn resize(&mut self, other: &Map) {
        (self.height, self.width, self.channels) = (other.height, other.width, other.channels);
        self.data.grow(self.len());
    }

    /// Values in use.
    pub(super) fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Row `y`, `[width, channels]`.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width * self.channels..][..self.width * self.channels]
    }
}
