//! Maps in 8 bits and at the size of the masks, as the original's window shows them.

use ndarray::{Array4, ArrayView2};

use super::flow_colors::range;
use crate::cpu::resize::nearest_index;
use crate::npy::Number;

/// From the logit of a cell to 8 bits: the 1st percentile is 0, the 99th 255.
pub fn bytes(cellprob: &[ArrayView2<f32>]) -> impl Fn(f32) -> u8 + Copy + use<> {
    let [low, high] = range(cellprob.iter().flatten().copied());
    let gain = if high - low > 1e-3 { 1.0 / (high - low) } else { 0.0 };
    move |v| (((v - low) * gain).clamp(0.0, 1.0) * 255.0) as u8
}

/// Brings planes to another size, as OpenCV does with `INTER_NEAREST`.
#[derive(Clone, Copy)]
pub struct Nearest {
    from: (usize, usize),
    to: (usize, usize),
}

impl Nearest {
    /// From one (height, width) to another.
    pub fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        Nearest { from, to }
    }

    /// The pixels of a plane at the new size, in row-major order, by their places at the old size.
    fn places(self) -> impl Iterator<Item = (usize, usize)> + Clone {
        let Nearest { from, to } = self;
        let (y_of, x_of) = (nearest_index(from.0, to.0), nearest_index(from.1, to.1));
        (0..to.0).flat_map(move |y| (0..to.1).map(move |x| (y_of(y), x_of(x))))
    }

    pub fn planes<'a, T: Number + 'a>(
        self,
        planes: &'a [ArrayView2<f32>],
        convert: impl Fn(f32) -> T + Copy + 'a,
    ) -> impl Iterator<Item = T> + 'a {
        let places = self.places();
        planes.iter().flat_map(move |plane| places.clone().map(move |at| convert(plane[at])))
    }

    pub fn colors<'a>(self, colors: &'a Array4<u8>) -> impl Iterator<Item = u8> + 'a {
        let places = self.places();
        (0..colors.dim().0).flat_map(move |plane| {
            places.clone().flat_map(move |(y, x)| [0, 1, 2].map(|c| colors[(plane, y, x, c)]))
        })
    }
}
