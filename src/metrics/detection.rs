//! Hits and misses of cells.

/// Cells that were found and missed at one IoU threshold, for a matching with the most hits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// A pair of cells with at least this IoU is a hit.
    pub threshold: f64,
    /// The number of hits.
    pub true_positives: usize,
    /// The number of predicted cells that are not hits.
    pub false_positives: usize,
    /// The number of true cells that are not hits.
    pub false_negatives: usize,
}

impl Detection {
    /// Average precision as defined for cell segmentation: TP / (TP + FP + FN); 1 when neither image has cells.
    pub fn ap(&self) -> f64 {
        ratio(
            self.true_positives as f64,
            (self.true_positives + self.false_positives + self.false_negatives) as f64,
        )
    }

    /// F1 score: 2 TP / (2 TP + FP + FN); 1 when neither image has cells.
    pub fn f1(&self) -> f64 {
        ratio(
            2.0 * self.true_positives as f64,
            (2 * self.true_positives + self.false_positives + self.false_negatives) as f64,
        )
    }

    /// The fraction of predicted cells that are hits. Without predicted cells it is 1 if there are no true cells, else 0.
    pub fn precision(&self) -> f64 {
        of(self.true_positives, self.false_positives, self.false_negatives)
    }

    /// The fraction of true cells that were found. Without true cells it is 1 if there are no predicted cells, else 0.
    pub fn recall(&self) -> f64 {
        of(self.true_positives, self.false_negatives, self.false_positives)
    }
}

/// A score whose denominator is 0 only when both images have no cells, which is perfect agreement.
pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 1.0 } else { part / whole }
}

/// `hits / (hits + wrong)`. When both are 0, the score is 1 if `others` is 0 too (neither image has cells), else 0.
pub(super) fn of(hits: usize, wrong: usize, others: usize) -> f64 {
    match hits + wrong {
        0 if others == 0 => 1.0,
        0 => 0.0,
        all => hits as f64 / all as f64,
    }
}
