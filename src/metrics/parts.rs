//! The connected parts of labels, by which label images are told from masks of 0 and 255 and from grey values.

use std::ops::Range;

use ndarray::ArrayView3;

use crate::{Error, Result};

/// How the labels of an image or a volume fall into parts. Pixels of one label that touch, also at a corner and in
/// neighbouring planes, are one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The number of labels, without 0.
    pub labels: usize,
    /// The number of parts of all labels.
    pub parts: usize,
    /// The label with the most parts, the smallest of several, and their number; both are 0 without labels.
    pub most: (u32, usize),
    /// The number of pixels that have a label.
    labelled: usize,
    pixels: usize,
}

/// Grey values are told from labels only where there are so many parts.
const MIN_PARTS: usize = 256;

impl Parts {
    /// Counts the parts in `[planes, height, width]` with 0 for background.
    pub fn new(labels: ArrayView3<u32>) -> Self {
        let runs = Runs::new(labels);
        let mut of_parts = runs.labels_of_parts();
        let parts = of_parts.len();
        of_parts.sort_unstable();
        let mut found = Parts { parts, pixels: labels.len(), ..Parts::default() };
        for of_label in of_parts.chunk_by(|a, b| a == b) {
            found.labels += 1;
            if of_label.len() > found.most.1 {
                found.most = (of_label[0], of_label.len());
            }
        }
        found.labelled = runs.runs.iter().map(|run| run.end - run.start).sum();
        found
    }

    /// Whether the numbers look like the grey values of a picture: many labels lie scattered over it in more than ten
    /// parts each, or most of it is covered by parts of less than four pixels.
    pub fn are_grey_values(&self) -> bool {
        let scattered = self.labels > 20 && self.parts > 10 * self.labels;
        let tiny = self.labelled < 4 * self.parts && 2 * self.labelled > self.pixels;
        self.parts >= MIN_PARTS && (scattered || tiny)
    }

    /// Whether a label looks like a mask of many cells: it is the only one and has several parts, or has more than ten.
    pub fn is_mask(&self) -> bool {
        self.most.1 > 10 || self.labels == 1 && self.parts > 1
    }

    /// Refuses grey values, whose scores mean nothing and would take very long.
    pub(super) fn check(&self, whose: &str) -> Result<()> {
        match self.are_grey_values() {
            false => Ok(()),
            true => Err(Error::Image(format!(
                "the {whose} has {} labels in {} parts, like the grey values of a picture: is it a label image?",
                self.labels, self.parts
            ))),
        }
    }
}

/// Neighbouring pixels of a row with one label.
struct Run {
    label: u32,
    start: usize,
    end: usize,
}

/// All runs, in the order of the pixels. Runs of one part are joined in a forest.
struct Runs {
    runs: Vec<Run>,
    parents: Vec<usize>,
}

impl Runs {
    fn new(labels: ArrayView3<u32>) -> Self {
        let height = labels.dim().1;
        let mut all = Runs { runs: Vec::new(), parents: Vec::new() };
        // Where the runs of each row begin, of all planes.
        let mut rows = vec![0];
        for (at, row) in labels.rows().into_iter().enumerate() {
            let mut last = 0;
            for (x, &label) in row.iter().enumerate() {
                match all.runs.last_mut() {
                    Some(run) if label == last && label != 0 => run.end = x + 1,
                    _ if label != 0 => all.push(Run { label, start: x, end: x + 1 }),
                    _ => {}
                }
                last = label;
            }
            rows.push(all.runs.len());
            let this = rows[at]..rows[at + 1];
            // The row above, and the three nearest of the plane before.
            let (plane, y) = (at / height, at % height);
            let above = (y > 0).then(|| at - 1);
            let before = (y.saturating_sub(1)..(y + 2).min(height)).filter(|_| plane > 0);
            for other in above.into_iter().chain(before.map(|y| (plane - 1) * height + y)) {
                all.join_rows(rows[other]..rows[other + 1], this.clone());
            }
        }
        all
    }

    fn push(&mut self, run: Run) {
        self.parents.push(self.runs.len());
        self.runs.push(run);
    }

    /// Joins the runs of two neighbouring rows that touch and have the same label.
    fn join_rows(&mut self, above: Range<usize>, below: Range<usize>) {
        let mut first = above.start;
        for run in below {
            let (label, start, end) = (self.runs[run].label, self.runs[run].start, self.runs[run].end);
            while first < above.end && self.runs[first].end < start {
                first += 1;
            }
            for other in first..above.end {
                if self.runs[other].start > end {
                    break;
                }
                if self.runs[other].label == label {
                    self.join(other, run);
                }
            }
        }
    }

    /// Makes the earlier of the two first runs the parent of the other.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }

    /// The first run of a part. Halves the path to it.
    fn root(&mut self, mut run: usize) -> usize {
        while self.parents[run] != run {
            self.parents[run] = self.parents[self.parents[run]];
            run = self.parents[run];
        }
        run
    }

    fn labels_of_parts(&self) -> Vec<u32> {
        let runs = self.runs.iter().enumerate();
        runs.filter(|&(i, _)| self.parents[i] == i).map(|(_, run)| run.label).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, Axis, array};
    use proptest::prelude::*;

    fn plane(labels: Array2<u32>) -> Parts {
        Parts::new(labels.insert_axis(Axis(0)).view())
    }

    #[test]
    fn corners_and_planes_connect() {
        let labels = array![[1, 1, 0, 2, 0, 2], [0, 0, 1, 0, 0, 2], [3, 0, 0, 1, 2, 0]];
        let found = plane(labels.clone());
        assert_eq!((found.labels, found.parts, found.most), (3, 4, (2, 2)));
        let mut volume = Array3::zeros((2, 3, 6));
        volume.index_axis_mut(Axis(0), 0).assign(&labels);
        volume[(1, 0, 4)] = 2;
        let found = Parts::new(volume.view());
        assert_eq!((found.labels, found.parts, found.most), (3, 3, (1, 1)));
        assert_eq!(plane(Array2::zeros((0, 3))), Parts::default());
    }

    #[test]
    fn grey_values_and_masks_are_no_labels() {
        let noise = |n: u32| {
            plane(Array2::from_shape_fn((60, 60), |(y, x)| {
                ((y * 60 + x) as u32).wrapping_mul(2_654_435_769).rotate_left(7) % n
            }))
        };
        for n in [200, 4000, u32::MAX] {
            assert!(noise(n).are_grey_values(), "{n}: {:?}", noise(n));
        }
        // Three classes of many cells are a mask, and dots of one pixel are far apart.
        let classes = plane(Array2::from_shape_fn((160, 160), |(y, x)| {
            if y % 8 < 6 && x % 8 < 6 { 1 + (y / 8 + x / 8) as u32 % 3 } else { 0 }
        }));
        assert!(classes.parts == 400 && classes.is_mask() && !classes.are_grey_values(), "{classes:?}");
        let dots =
            Array2::from_shape_fn(
                (60, 60),
                |(y, x)| if (y + x) % 3 == 0 && y % 2 == 0 { y * 60 + x } else { 0 },
            );
        let dots = plane(dots.mapv(|v| v as u32));
        assert!(dots.parts > 500 && !dots.are_grey_values() && !dots.is_mask(), "{dots:?}");
        assert!(plane(array![[1, 0, 1]]).is_mask());
        assert!(!plane(array![[1, 0, 1, 2]]).is_mask());
    }

    /// The number of parts by filling them one after the other.
    fn naive(labels: &Array3<u32>) -> usize {
        let (planes, height, width) = labels.dim();
        let mut seen = Array3::from_elem(labels.dim(), false);
        let mut parts = 0;
        for (start, &label) in labels.indexed_iter().filter(|(_, label)| **label != 0) {
            parts += usize::from(!seen[start]);
            let mut stack = vec![start];
            while let Some((z, y, x)) = stack.pop() {
                if labels[(z, y, x)] != label || std::mem::replace(&mut seen[(z, y, x)], true) {
                    continue;
                }
                let near = |v: usize, n: usize| v.saturating_sub(1)..(v + 2).min(n);
                for z in near(z, planes) {
                    for y in near(y, height) {
                        stack.extend(near(x, width).map(|x| (z, y, x)));
                    }
                }
            }
        }
        parts
    }

    proptest! {
        #[test]
        fn parts_are_those_of_filling(
            (height, width) in (1..7_usize, 1..9_usize), pixels in prop::collection::vec(0..3_u32, 150)
        ) {
            let planes = pixels.len() / (height * width);
            let pixels = pixels[..planes * height * width].to_vec();
            let labels = Array3::from_shape_vec((planes, height, width), pixels).unwrap();
            prop_assert_eq!(Parts::new(labels.view()).parts, naive(&labels));
        }
    }
}
