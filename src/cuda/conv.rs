//! The convolutions with all that stands before and after them.
//!
//! Half precision goes by `mma.sync`, which every card from compute capability 8.0 on has. A kernel for `wgmma` (9.0)
//! would be another name in `ConvSum::launch` with its own order of the weights.

mod launch;
mod map;
mod sum;
mod weights;

use super::kernels::conv as kernels;
pub use map::Map;
pub(super) use map::value_bytes;
pub use sum::{ConvSum, Rows, Size};
pub(super) use weights::pad;
pub use weights::{Act, Last, Weights};

/// Stored channels of the network's input.
pub const CHANNELS_IN: usize = super::kernels::tiles::CHANNELS as usize;
/// Channels of every other map are stored in a multiple of this. Those beyond the last are zero.
pub const GROUP: usize = kernels::GROUP as usize;
/// Pixels of a batch: the kernels keep a pixel's number and three more bits in 32.
pub const MOST_PIXELS: usize = 1 << (31 - kernels::STRIP_BITS);
/// Input channels that the kernels sum together.
const SLICE: usize = kernels::SLICE as usize;
