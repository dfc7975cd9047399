//! Where the tracing of borders begins.

use ndarray::{ArrayView2, CowArray, Ix2};
use rayon::prelude::*;

/// So many pixels are compared with those above them at once.
const WIDE: usize = 16;

/// Labels whose rows lie one after the other.
pub(super) struct Plane<'a> {
    labels: CowArray<'a, u32, Ix2>,
    pub height: usize,
    pub width: usize,
}

/// A row of labels and the one above it, which is background for the first row.
pub(super) struct Rows<'a> {
    pub row: &'a [u32],
    pub above: &'a [u32],
}

impl<'a> Plane<'a> {
    /// Labels `[height, width]`; they are copied only if they are not in C order.
    pub fn new(masks: &'a ArrayView2<u32>) -> Self {
        let (height, width) = masks.dim();
        Plane { labels: masks.as_standard_layout(), height, width }
    }

    /// The labels, row after row.
    pub fn labels(&self) -> &[u32] {
        self.labels.as_slice().expect("the layout is the standard one")
    }

    /// Whether the pixel at `[x, y]` is inside and has this label.
    pub fn is_of(&self, [x, y]: [usize; 2], label: u32) -> bool {
        x < self.width && y < self.height && self.labels()[y * self.width + x] == label
    }

    /// The pixels, as indices in C order, that have another label than the pixel above them and for whose column
    /// `is_start` says so. The rows are searched on all threads.
    pub fn starts(&self, is_start: impl Fn(&Rows, usize) -> bool + Sync) -> Vec<usize> {
        let (labels, width) = (self.labels(), self.width);
        let outside = vec![0; width];
        let of_row = |y: usize| {
            let row = &labels[y * width..][..width];
            let above = if y == 0 { &outside[..] } else { &labels[(y - 1) * width..][..width] };
            let rows = Rows { row, above };
            let mut found = Vec::new();
            for (i, (pixels, upper)) in row.chunks(WIDE).zip(above.chunks(WIDE)).enumerate() {
                if pixels != upper {
                    let columns = i * WIDE..i * WIDE + pixels.len();
                    found.extend(columns.filter(|&x| row[x] != above[x] && is_start(&rows, x)));
                }
            }
            found.into_iter().map(move |x| y * width + x)
        };
        (0..self.height).into_par_iter().flat_map_iter(of_row).collect()
    }
}
