//! Which cells overlap by how many pixels, and the scores that follow from that alone.

use std::collections::HashMap;

use ndarray::ArrayView2;

use super::assignment::{Edge, assign};
use super::detection::{Detection, ratio};
use crate::{Error, Result};

/// A cell of a label image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its number in the image.
    pub label: u32,
    /// Its area in pixels.
    pub pixels: usize,
}

/// A true and a predicted cell that share at least one pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Index into [`Overlaps::truth`].
    pub truth: usize,
    /// Index into [`Overlaps::pred`].
    pub pred: usize,
    /// Pixels that they share.
    pub pixels: usize,
    /// Intersection over union, above 0 and at most 1.
    pub iou: f64,
}

/// The partner of a true cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The label of the true cell.
    pub truth: u32,
    /// The label of the predicted cell, if any.
    pub pred: Option<u32>,
    /// Their intersection over union; 0 without a partner.
    pub iou: f64,
}

/// The cells of two label images and the pairs that overlap. Counted once, it gives all scores but those of
/// boundaries.
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
    /// [`Error::Image`] when the two have different sizes.
    pub fn new(truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<Self> {
        check_sizes(truth, pred)?;
        let counts = count(truth.iter().copied().zip(pred.iter().copied()));
        let true_cells = cells(counts.iter().map(|&((label, _), pixels)| (label, pixels)));
        let pred_cells = cells(counts.iter().map(|&((_, label), pixels)| (label, pixels)));
        let pair = |&((t, p), pixels): &((u32, u32), usize)| {
            // Background is in neither list.
            let (truth, pred) = (place(&true_cells, t)?, place(&pred_cells, p)?);
            let union = true_cells[truth].pixels + pred_cells[pred].pixels - pixels;
            Some(Pair { truth, pred, pixels, iou: pixels as f64 / union as f64 })
        };
        let pairs = counts.iter().filter_map(pair).collect();
        Ok(Overlaps { truth: true_cells, pred: pred_cells, pairs })
    }

    /// The true cells in the order of their labels.
    pub fn truth(&self) -> &[Cell] {
        &self.truth
    }

    /// The predicted cells in the order of their labels.
    pub fn pred(&self) -> &[Cell] {
        &self.pred
    }

    /// The pairs that overlap, in the order of the true and then of the predicted labels.
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

    /// Panoptic quality (Kirillov et al., CVPR 2019) of the one class "cell": the sum of the IoU of the pairs above
    /// 0.5, over the mean of the numbers of true and predicted cells.
    pub fn panoptic_quality(&self) -> f64 {
        let quality: f64 = self.pairs.iter().map(|pair| pair.iou).filter(|&iou| iou > 0.5).sum();
        ratio(2.0 * quality, (self.truth.len() + self.pred.len()) as f64)
    }

    /// Dice coefficient of cell against background: twice the pixels that are cell in both images, over the sum
    /// of the pixels that are cell in each.
    pub fn dice(&self) -> f64 {
        ratio(2.0 * self.shared() as f64, (area(&self.truth) + area(&self.pred)) as f64)
    }

    /// True cells that were split: those in which at least two predicted cells lie with more than half of their
    /// pixels.
    pub fn splits(&self) -> usize {
        several(&self.pairs, self.truth.len(), |pair| pair.truth, |pair| self.pred[pair.pred].pixels)
    }

    /// Predicted cells that merge: those in which at least two true cells lie with more than half of their pixels.
    pub fn merges(&self) -> usize {
        several(&self.pairs, self.pred.len(), |pair| pair.pred, |pair| self.truth[pair.truth].pixels)
    }

    /// The pairs of the matching that has the most pairs of at least `threshold`, and of these matchings the
    /// highest sum of IoU.
    fn matched(&self, threshold: f64) -> impl Iterator<Item = &Pair> {
        // The sum of the second terms stays below 1, what one more pair of the first counts.
        let most = 2.0 * self.truth.len().min(self.pred.len()) as f64;
        let weight = |iou: f64| f64::from(u8::from(iou >= threshold)) + iou / most;
        let edge = |pair: &Pair| Edge { left: pair.truth, right: pair.pred, weight: weight(pair.iou) };
        let edges: Vec<_> = self.pairs.iter().map(edge).collect();
        assign(self.truth.len(), self.pred.len(), &edges).into_iter().map(|i| &self.pairs[i])
    }

    /// The most pairs that reach a threshold at once.
    fn hits(&self, threshold: f64) -> usize {
        if threshold <= 0.0 {
            self.truth.len().min(self.pred.len())
        } else if threshold > 0.5 {
            // Above one half no cell has two such partners.
            self.pairs.iter().filter(|pair| pair.iou >= threshold).count()
        } else {
            self.matched(threshold).filter(|pair| pair.iou >= threshold).count()
        }
    }

    /// Pixels that are cell in both images.
    fn shared(&self) -> usize {
        self.pairs.iter().map(|pair| pair.pixels).sum()
    }
}

pub(super) fn check_sizes(truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<()> {
    let ((ty, tx), (py, px)) = (truth.dim(), pred.dim());
    if (ty, tx) == (py, px) {
        return Ok(());
    }
    Err(Error::Image(format!("the truth has {ty} by {tx} pixels, the prediction {py} by {px}")))
}

/// How often each pair of labels comes, sorted.
fn count(pixels: impl Iterator<Item = (u32, u32)>) -> Vec<((u32, u32), usize)> {
    let mut counts: HashMap<(u32, u32), usize> = HashMap::new();
    // Neighbours in a row mostly have the same labels: one look-up a run.
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

/// The labels that are not 0, sorted, with the sums of their pixels.
fn cells(parts: impl Iterator<Item = (u32, usize)>) -> Vec<Cell> {
    let mut parts: Vec<_> = parts.filter(|(label, _)| *label != 0).collect();
    parts.sort_unstable();
    let sum = |part: &[(u32, usize)]| Cell { label: part[0].0, pixels: part.iter().map(|p| p.1).sum() };
    parts.chunk_by(|a, b| a.0 == b.0).map(sum).collect()
}

fn place(cells: &[Cell], label: u32) -> Option<usize> {
    cells.binary_search_by_key(&label, |cell| cell.label).ok()
}

fn area(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.pixels).sum()
}

/// How many of `n` cells have at least two partners that lie in them with more than half of their pixels.
fn several(pairs: &[Pair], n: usize, of: impl Fn(&Pair) -> usize, partner: impl Fn(&Pair) -> usize) -> usize {
    let mut inside = vec![0_usize; n];
    pairs.iter().filter(|pair| 2 * pair.pixels > partner(pair)).for_each(|pair| inside[of(pair)] += 1);
    inside.into_iter().filter(|&partners| partners > 1).count()
}

/// The labels in memory order numbered 1 to n by their rank, and the labels by rank.
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
