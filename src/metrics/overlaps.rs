//! How many pixels each pair of cells shares, and the scores that need nothing else.

use std::collections::HashMap;

use ndarray::{ArrayView, ArrayView2, Axis, Dimension};

use super::assignment::{Edge, assign};
use super::detection::{Detection, ratio};
use super::parts::Parts;
use crate::{Error, Result};

/// A cell of a label image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The cell's number in the image.
    pub label: u32,
    /// The cell's area in pixels.
    pub area: usize,
}

/// A true and a predicted cell that share at least one pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Index into [`Overlaps::truth`].
    pub truth: usize,
    /// Index into [`Overlaps::pred`].
    pub pred: usize,
    /// The number of pixels that they share.
    pub pixels: usize,
    /// Intersection over union, above 0 and at most 1.
    pub iou: f64,
}

/// A true cell, and the predicted cell that is matched with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The label of the true cell.
    pub truth: u32,
    /// The label of the predicted cell, if any.
    pub pred: Option<u32>,
    /// Their intersection over union; 0 without a partner.
    pub iou: f64,
}

/// The cells of two label images, and the pairs of cells that overlap. All scores but those of boundaries follow from
/// these counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlaps {
    truth: Vec<Cell>,
    pred: Vec<Cell>,
    pairs: Vec<Pair>,
}

impl Overlaps {
    /// Counts the overlaps of two label images `[height, width]`.
    ///
    /// # Errors
    /// [`Error::Image`] when the two images differ in size, or one holds grey values ([`Parts::are_grey_values`]), which
    /// would make as many pairs as there are pixels.
    pub fn new(truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<Self> {
        check_sizes(truth, pred)?;
        for (labels, whose) in [(truth, "truth"), (pred, "prediction")] {
            Parts::new(labels.insert_axis(Axis(0))).check(whose)?;
        }
        Ok(Self::count(truth.iter(), pred.iter()))
    }

    /// Counts the overlaps of labels that were checked, in any order of the pixels that is the same for both.
    pub(super) fn count<'a>(
        truth: impl Iterator<Item = &'a u32>,
        pred: impl Iterator<Item = &'a u32>,
    ) -> Self {
        let counts = count(truth.copied().zip(pred.copied()));
        let true_cells = cells(counts.iter().map(|&((label, _), pixels)| (label, pixels)));
        let pred_cells = cells(counts.iter().map(|&((_, label), pixels)| (label, pixels)));
        let pair = |&((t, p), pixels): &((u32, u32), usize)| {
            // Background is in neither list, so its pairs are left out here.
            let (truth, pred) = (place(&true_cells, t)?, place(&pred_cells, p)?);
            let union = true_cells[truth].area + pred_cells[pred].area - pixels;
            Some(Pair { truth, pred, pixels, iou: pixels as f64 / union as f64 })
        };
        let pairs = counts.iter().filter_map(pair).collect();
        Overlaps { truth: true_cells, pred: pred_cells, pairs }
    }

    /// The true cells, in the order of their labels.
    pub fn truth(&self) -> &[Cell] {
        &self.truth
    }

    /// The predicted cells, in the order of their labels.
    pub fn pred(&self) -> &[Cell] {
        &self.pred
    }

    /// The pairs that overlap, in the order of the true labels and then of the predicted labels.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// See [`super::mask_ious`].
    pub fn mask_ious(&self) -> Vec<Match> {
        let mut matches: Vec<_> =
            self.truth.iter().map(|cell| Match { truth: cell.label, pred: None, iou: 0.0 }).collect();
        for pair in self.matched(0.5) {
            let found = &mut matches[pair.truth];
            (found.pred, found.iou) = (Some(self.pred[pair.pred].label), pair.iou);
        }
        matches
    }

    /// See [`super::average_precision`].
    pub fn detections(&self, thresholds: &[f64]) -> Vec<Detection> {
        let detection = |&threshold: &f64| {
            let hits = self.hits(threshold);
            Detection {
                threshold,
                true_positives: hits,
                false_positives: self.pred.len() - hits,
                false_negatives: self.truth.len() - hits,
            }
        };
        thresholds.iter().map(detection).collect()
    }

    /// See [`super::aggregated_jaccard_index`].
    pub fn aggregated_jaccard_index(&self) -> f64 {
        let shared: usize = self.matched(0.5).map(|pair| pair.pixels).sum();
        let all = area(&self.truth) + area(&self.pred) - self.shared();
        ratio(shared as f64, all as f64)
    }

    /// Panoptic quality (Kirillov et al., CVPR 2019) with the one class "cell": the sum of the IoU of all pairs above 0.5,
    /// divided by the mean of the numbers of true and predicted cells.
    pub fn panoptic_quality(&self) -> f64 {
        let good = self.pairs.iter().map(|pair| pair.iou).filter(|&iou| iou > 0.5);
        // The sum of no numbers would be -0.
        let quality = good.fold(0.0, |sum, iou| sum + iou);
        ratio(2.0 * quality, (self.truth.len() + self.pred.len()) as f64)
    }

    /// Dice coefficient of cells against background: twice the number of pixels that are in cells in both images, divided
    /// by the sum of the numbers of pixels that are in cells in each image.
    pub fn dice(&self) -> f64 {
        ratio(2.0 * self.shared() as f64, (area(&self.truth) + area(&self.pred)) as f64)
    }

    /// The number of true cells that were split: at least two predicted cells lie in such a cell with more than half of
    /// their area.
    pub fn splits(&self) -> usize {
        several(&self.pairs, self.truth.len(), |pair| pair.truth, |pair| self.pred[pair.pred].area)
    }

    /// The number of predicted cells that merge true cells: at least two true cells lie in such a cell with more than half
    /// of their area.
    pub fn merges(&self) -> usize {
        several(&self.pairs, self.pred.len(), |pair| pair.pred, |pair| self.truth[pair.truth].area)
    }

    /// The pairs of the matching that has the most pairs with an IoU of at least `threshold` and, among those matchings,
    /// the highest sum of IoU.
    fn matched(&self, threshold: f64) -> impl Iterator<Item = &Pair> {
        // The second terms of all pairs sum to less than 1, which is what one more pair at the threshold counts.
        let scale = 2.0 * self.truth.len().min(self.pred.len()) as f64;
        let weight = |iou: f64| f64::from(u8::from(iou >= threshold)) + iou / scale;
        let edge = |pair: &Pair| Edge { left: pair.truth, right: pair.pred, weight: weight(pair.iou) };
        let edges: Vec<_> = self.pairs.iter().map(edge).collect();
        assign(self.truth.len(), self.pred.len(), &edges).into_iter().map(|i| &self.pairs[i])
    }

    /// The largest number of pairs in one matching that reach a threshold.
    fn hits(&self, threshold: f64) -> usize {
        if threshold <= 0.0 {
            self.truth.len().min(self.pred.len())
        } else if threshold > 0.5 {
            // No cell has two partners with an IoU above one half.
            self.pairs.iter().filter(|pair| pair.iou >= threshold).count()
        } else {
            self.matched(threshold).filter(|pair| pair.iou >= threshold).count()
        }
    }

    /// The number of pixels that are in a cell in both images.
    fn shared(&self) -> usize {
        self.pairs.iter().map(|pair| pair.pixels).sum()
    }
}

/// Refuses images or volumes of different sizes.
pub(super) fn check_sizes<D: Dimension>(truth: ArrayView<u32, D>, pred: ArrayView<u32, D>) -> Result<()> {
    if truth.raw_dim() == pred.raw_dim() {
        return Ok(());
    }
    let size = |shape: &[usize]| match shape {
        [1, height, width] | [height, width] => format!("{height} by {width}"),
        shape => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" by "),
    };
    let (truth, pred) = (size(truth.shape()), size(pred.shape()));
    Err(Error::Image(format!("the truth has {truth} pixels, the prediction {pred}")))
}

/// The number of pixels of each pair of labels, sorted by the labels.
fn count(pixels: impl Iterator<Item = (u32, u32)>) -> Vec<((u32, u32), usize)> {
    let mut counts: HashMap<(u32, u32), usize> = HashMap::new();
    // Neighbours in a row mostly have the same labels, so there is one look-up for each run of them.
    let mut run = ((0, 0), 0);
    for labels in pixels {
        if labels != run.0 {
            *counts.entry(run.0).or_default() += run.1;
            run = (labels, 0);
        }
        run.1 += 1;
    }
    *counts.entry(run.0).or_default() += run.1;
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable();
    counts
}

/// The cells, sorted by label. `parts` has the areas of parts of cells; label 0 is left out.
fn cells(parts: impl Iterator<Item = (u32, usize)>) -> Vec<Cell> {
    let mut parts: Vec<_> = parts.filter(|(label, _)| *label != 0).collect();
    parts.sort_unstable();
    let sum = |part: &[(u32, usize)]| Cell { label: part[0].0, area: part.iter().map(|p| p.1).sum() };
    parts.chunk_by(|a, b| a.0 == b.0).map(sum).collect()
}

fn place(cells: &[Cell], label: u32) -> Option<usize> {
    cells.binary_search_by_key(&label, |cell| cell.label).ok()
}

fn area(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.area).sum()
}

/// How many of `n` cells have at least two partners that lie in them with more than half of their area.
fn several(pairs: &[Pair], n: usize, of: impl Fn(&Pair) -> usize, area: impl Fn(&Pair) -> usize) -> usize {
    let mut inside = vec![0_usize; n];
    pairs.iter().filter(|pair| 2 * pair.pixels > area(pair)).for_each(|pair| inside[of(pair)] += 1);
    inside.into_iter().filter(|&partners| partners > 1).count()
}

/// The labels renumbered 1 to n in their order, in row-major order of the pixels, and the old label of each number.
pub(super) fn dense(labels: ArrayView2<u32>) -> (Vec<u32>, Vec<u32>) {
    let found = cells(count(labels.iter().map(|&label| (label, 0))).into_iter().map(|((l, _), n)| (l, n)));
    let mut last = (0, 0);
    let number = |&label: &u32| {
        if label != last.0 {
            last = (label, place(&found, label).map_or(0, |rank| rank as u32 + 1));
        }
        last.1
    };
    (labels.iter().map(number).collect(), found.iter().map(|cell| cell.label).collect())
}
