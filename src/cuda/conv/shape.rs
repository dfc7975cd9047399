//! What a thread block of the kernels in half precision computes, and the shared memory that it takes.

use super::super::kernels::conv::{GAP, QUARTER_SIDE, STRIP_SIDE, Square, TAPS, TILES_APART, WARPS};
use super::{GROUP, SLICE, Size};

/// Bytes of shared memory that the driver reserves for each thread block.
const RESERVED: usize = 1 << 10;
/// The most thread blocks for which a multiprocessor has registers.
const BLOCKS: usize = 2;
/// Quarters of a strip.
const QUARTERS: usize = 4;

/// The shape of a thread block: strips, of which the quarters lie together or apart, by groups of output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub groups: usize,
    pub apart: bool,
}

impl Shape {
    /// Strips of a thread block.
    const fn strips(self) -> usize {
        WARPS as usize / self.groups
    }

    /// The side of the squares that a map is cut into.
    pub fn side(self) -> usize {
        (if self.apart { QUARTER_SIDE } else { STRIP_SIDE }) as usize
    }

    /// Squares of a thread block.
    pub const fn squares(self) -> usize {
        self.strips() * if self.apart { QUARTERS } else { 1 }
    }

    /// Bytes of shared memory: the tables, the scales and shifts of an activation of `act` channels, and the ring of
    /// slices.
    pub fn shared(self, act: usize, stages: usize) -> usize {
        let [tables, tiles] = if self.apart { [1, TILES_APART as usize] } else { [2, self.strips()] };
        let pixels = self.squares() * (self.side() + 2).pow(2);
        let tables = self.squares() * size_of::<Square>() + tables * pixels * size_of::<i32>();
        let weights = self.groups * TAPS as usize * GROUP;
        let stage = 2 * SLICE * (pixels + weights) + 2 * GAP as usize;
        tables.next_multiple_of(128) + 2 * (1 + tiles) * act + stages * stage
    }

    /// How many slices are in shared memory at a time: three if no fewer thread blocks then fit on a multiprocessor
    /// with this much shared memory, else two.
    pub fn stages(self, act: usize, memory: usize) -> usize {
        let blocks = |stages| (memory / (self.shared(act, stages) + RESERVED)).min(BLOCKS);
        if blocks(3) >= blocks(2) { 3 } else { 2 }
    }
}

/// Squares of a tile.
pub(super) fn squares(size: Size, side: usize) -> usize {
    size.height.div_ceil(side) * size.width.div_ceil(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The deepest level has 256 channels; the finest, of 32 outputs, has 64 inputs at most.
    #[test]
    fn a_third_slice_costs_no_block() {
        let stages = |groups, apart, act| {
            [100, 164, 228].map(|memory| Shape { groups, apart }.stages(act, memory << 10))
        };
        assert_eq!(stages(2, false, 256), [3, 2, 3]);
        assert_eq!(stages(2, true, 256), [2, 2, 3]);
        assert_eq!(stages(1, false, 64), [2, 2, 3]);
        let kinds = [(1, false), (2, false), (2, true)].map(|(groups, apart)| Shape { groups, apart });
        for (shape, act) in kinds.into_iter().zip([64, 256, 256]) {
            let two = |memory: usize| (memory << 10) / (shape.shared(act, 2) + RESERVED);
            assert!(two(164) >= 2 && two(228) >= 2, "{shape:?} has two blocks on cards of data centres");
        }
    }
}
