//! The part of a map that is needed.

use std::ops::Range;

/// Rows and columns of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The rows.
    pub rows: Range<usize>,
    /// The columns.
    pub columns: Range<usize>,
}

impl Window {
    /// All of a map of this size, (height, width).
    pub fn whole((height, width): (usize, usize)) -> Self {
        Window { rows: 0..height, columns: 0..width }
    }

    /// What a 3×3 convolution reads to compute this part of a map of this size, in whole patches.
    pub fn read(&self, (height, width): (usize, usize)) -> Self {
        let read = |range: &Range<usize>, length: usize| {
            range.start.saturating_sub(1) / 4 * 4..(range.end + 1).next_multiple_of(4).min(length)
        };
        Window { rows: read(&self.rows, height), columns: read(&self.columns, width) }
    }

    /// The part of a map of half the size in each direction that this part is made of.
    pub fn halved(&self) -> Self {
        let half = |range: &Range<usize>| range.start / 2..range.end.div_ceil(2);
        Window { rows: half(&self.rows), columns: half(&self.columns) }
    }

    /// The columns in patches of four pixels.
    pub(super) fn patches(&self) -> Range<usize> {
        self.columns.start / 4..self.columns.end.div_ceil(4)
    }
}
