//! The convolutions of the network, each with the batch norm, sums, ReLU and pooling around it in one kernel.
//!
//! The kernels for half precision use the instruction `mma.sync`, which every card from compute capability 8.0 on has,
//! or `wgmma`, which those of 9.0 alone have: [`VARIANTS`] has them all, and a [`Choice`] tells which computes what.

mod choice;
mod kept;
mod launch;
mod map;
mod shape;
mod sum;
mod trial;
mod tune;
mod variants;
mod warp_groups;
mod weights;

use super::Gpu;
use super::kernels::conv as kernels;
pub use choice::{Choice, Row};
pub use kept::kept;
pub use map::Map;
pub(super) use map::value_bytes;
pub use sum::{ConvSum, Rows, Size};
pub use tune::{chosen, pinned, tune};
pub use variants::{Kind, VARIANTS, Variant};
pub(super) use weights::pad;
pub use weights::{Act, Last, Layout, Weights};

/// The number of channels that are stored for the network's input. Those beyond the network's own are zero.
pub const CHANNELS_IN: usize = super::kernels::tiles::CHANNELS as usize;
/// Every other map is stored with a multiple of this many channels. Those beyond its own are zero.
pub const GROUP: usize = kernels::GROUP as usize;
/// The largest number of pixels of a batch: a pixel's index and `ROW_BITS` more bits must fit into 31 bits.
pub const MAX_PIXELS: usize = 1 << (31 - kernels::ROW_BITS);
/// The kernels sum over this many input channels at a time.
const SLICE: usize = kernels::SLICE as usize;
