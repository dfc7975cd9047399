//! Hits and misses of cells.

/// Cells found and missed at one threshold of IoU, for a matching with the most hits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// A pair of cells counts as a hit from this IoU on.
    pub threshold: f64,
    /// Hits.
    pub true_positives: usize,
    /// Predicted cells that are no hits.
    pub false_positives: usize,
    /// True cells that are no hits.
    pub false_negatives: usize,
}

impl Detection {
    /// Average precision as the field has it: TP / (TP + FP + FN); 1 when there is no cell on either side.
    pub fn ap(&self) -> f64 {
        ratio(
            self.true_positives as f64,
            (self.true_positives + self.false_positives + self.false_negatives) as f64,
        )
    }

    /// 2 TP / (2 TP + FP + FN); 1 when there is no cell on either side.
    pub fn f1(&self) -> f64 {
        ratio(
            2.0 * self.true_positives as f64,
            (2 * self.true_positives + self.false_positives + self.false_negatives) as f64,
        )
    }

    /// The part of the predicted cells that are hits; without any, 1 if there were none to find, else 0.
    pub fn precision(&self) -> f64 {
        of(self.true_positives, self.false_positives, self.false_negatives)
    }

    /// The part of the true cells that were found; without any, 1 if none was predicted, else 0.
    pub fn recall(&self) -> f64 {
        of(self.true_positives, self.false_negatives, self.false_positives)
    }
}

/// A score whose denominator is 0 only when both sides are empty, which is perfect agreement.
pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 1.0 } else { part / whole }
}

/// `hits / (hits + wrong)`; of nothing, 1 when the other side is empty too.
pub(super) fn of(hits: usize, wrong: usize, others: usize) -> f64 {
    match hits + wrong {
        0 if others == 0 => 1.0,
        0 => 0.0,
        all => hits as f64 / all as f64,
    }
}
