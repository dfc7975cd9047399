//! What is summed over the pixels of a cell in whole numbers, so that every order of the pixels gives the same.

use super::intensity::{Intensity, integers};
use super::runs::Run;
use crate::Image;

/// The sums over the pixels of a cell. A processor and a GPU compute the same: [`cpu::measure`](crate::cpu::measure::measure),
/// `cuda::measure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The label of the cell.
    pub label: u32,
    /// The number of pixels.
    pub pixels: u64,
    /// The first plane, row and column. An image is plane 0.
    pub start: [u32; 3],
    /// Those after the last.
    pub end: [u32; 3],
    /// The sums of planes, rows and columns over the pixels; divided by `pixels`, the centroid.
    pub coordinates: [u64; 3],
    /// Of each channel of the image, if its pixels are whole numbers; else none.
    pub channels: Vec<ChannelSums>,
}

/// The sums over the intensities of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSums {
    /// The sum of the intensities.
    pub sum: u64,
    /// The sum of their squares.
    pub squares: u128,
    /// The smallest intensity.
    pub min: u16,
    /// The largest intensity.
    pub max: u16,
}

impl Sums {
    /// Of the runs of a cell, which has one at least.
    pub(crate) fn of(cell: &[Run], planes: &[Image]) -> Self {
        let (start, end) = bounds(cell);
        let mut sums = Sums {
            label: cell.first().map_or(0, |run| run.label),
            pixels: 0,
            start,
            end,
            coordinates: [0; 3],
            channels: integers(cell, planes),
        };
        for run in cell {
            let (count, first) = (run.pixels(), u64::from(run.start));
            let columns = count * first + count * count.saturating_sub(1) / 2;
            let plus = [u64::from(run.z) * count, u64::from(run.y) * count, columns];
            sums.pixels += count;
            sums.coordinates.iter_mut().zip(plus).for_each(|(to, plus)| *to += plus);
        }
        sums
    }
}

impl ChannelSums {
    /// Of no pixels.
    pub(crate) const NONE: Self = ChannelSums { sum: 0, squares: 0, min: u16::MAX, max: 0 };

    pub(super) fn add(&mut self, value: u16) {
        self.sum += u64::from(value);
        self.squares += u128::from(value) * u128::from(value);
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
    }

    /// The intensities of so many pixels. All sums are exact, so that only the last steps round.
    pub(super) fn intensity(&self, pixels: u64) -> Intensity {
        let (count, sum) = (u128::from(pixels), u128::from(self.sum));
        let scaled = (count * self.squares).saturating_sub(sum * sum);
        Intensity {
            sum: self.sum as f64,
            mean: self.sum as f64 / pixels as f64,
            min: self.min.into(),
            max: self.max.into(),
            std: (scaled as f64).sqrt() / pixels as f64,
        }
    }
}

fn bounds(cell: &[Run]) -> ([u32; 3], [u32; 3]) {
    let add = |(low, high): ([u32; 3], [u32; 3]), run: &Run| {
        let (first, end) = ([run.z, run.y, run.start], [run.z + 1, run.y + 1, run.end]);
        (std::array::from_fn(|i| low[i].min(first[i])), std::array::from_fn(|i| high[i].max(end[i])))
    };
    cell.iter().fold(([u32::MAX; 3], [0; 3]), add)
}
