//! Maps in 8 bits and at the size of the masks, as the original's window shows them.

use ndarray::{ArrayView2, Axis};

use super::range::Brightness;
use crate::cpu::resize::nearest_index;

/// From the logit of a cell to 8 bits: the 1st percentile is 0, the 99th 255.
pub fn bytes(cellprob: &[ArrayView2<f32>]) -> impl Fn(f32) -> u8 + Copy + use<> {
    let height = cellprob.first().map_or(0, |plane| plane.dim().0);
    let row = |row: usize| cellprob[row / height].index_axis_move(Axis(0), row % height).into_iter().copied();
    let brightness = Brightness::of(cellprob.len() * height, row);
    move |v| (brightness.at(v) * 255.0) as u8
}

/// Where the pixels of rows are in planes of another size, as OpenCV has it with `INTER_NEAREST`.
pub struct Nearest {
    /// The height and width of the rows that are wanted.
    to: (usize, usize),
    y: Vec<usize>,
    x: Vec<usize>,
}

impl Nearest {
    /// From one (height, width) to another.
    pub fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        let [y, x] =
            [(from.0, to.0), (from.1, to.1)].map(|(from, to)| (0..to).map(nearest_index(from, to)).collect());
        Nearest { to, y, x }
    }

    /// Fills a row, of which all planes have so many as the height, with the pixels that `at` gives for a plane, row and
    /// column of the old size.
    pub fn row<P>(&self, row: usize, out: impl Iterator<Item = P>, at: impl Fn(P, usize, usize, usize)) {
        let (plane, y) = (row / self.to.0, self.y[row % self.to.0]);
        out.zip(&self.x).for_each(|(out, &x)| at(out, plane, y, x));
    }
}
