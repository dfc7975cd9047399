//! The scores of one or more methods on a set of images. Tables, files and plots are made from these.

use ndarray::{ArrayView2, ArrayView3, Axis};

use super::boundary::{Boundary, boundaries};
use super::detection::Detection;
use super::overlaps::{Overlaps, check_sizes};
use super::parts::Parts;
use crate::Result;

/// The IoU thresholds of an evaluation: 0.5 to 0.95 in steps of 0.05.
pub const THRESHOLDS: [f64; 10] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// The tolerances of boundary scores in an evaluation, as fractions of the median diameter of the true cells.
pub const SCALES: [f64; 3] = [0.025, 0.1, 0.25];

/// The scores of several methods against the same ground truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// The methods, in the order of the caller.
    pub methods: Vec<Method>,
}

/// The scores of one method.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// The method's name, such as the name of the folder with its predictions.
    pub name: String,
    /// The scores of each image, in the order of the caller. A method may lack some images.
    pub images: Vec<ImageScores>,
}

/// The scores of one predicted label image against the true one. All numbers are finite; [`crate::metrics`] says what they
/// are when an image has no cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageScores {
    /// The image's name, without the folder, the extension and an ending such as `_masks`.
    pub name: String,
    /// The number of true cells.
    pub truth_cells: usize,
    /// The number of predicted cells.
    pub pred_cells: usize,
    /// Average precision at each of [`THRESHOLDS`], 0 to 1.
    pub ap: Vec<f64>,
    /// Hits and misses at each of [`THRESHOLDS`].
    pub detections: Vec<Detection>,
    /// Aggregated Jaccard index, 0 to 1.
    pub aji: f64,
    /// Panoptic quality, 0 to 1.
    pub pq: f64,
    /// Dice coefficient of cells against background, 0 to 1.
    pub dice: f64,
    /// The number of true cells that were split.
    pub splits: usize,
    /// The number of predicted cells that merge several true cells.
    pub merges: usize,
    /// Boundary scores at each of [`SCALES`].
    pub boundaries: Vec<Boundary>,
    /// How the true labels fall into parts.
    pub truth_parts: Parts,
    /// How the predicted labels fall into parts.
    pub pred_parts: Parts,
}

impl ImageScores {
    /// Scores a predicted label image against the true one. Both are `[height, width]` with 0 for background.
    ///
    /// # Errors
    /// [`crate::Error::Image`] when the two images differ in size, when one holds grey values
    /// ([`Parts::are_grey_values`]), and in the other cases of [`super::boundary_scores`].
    pub fn new(name: impl Into<String>, truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<Self> {
        Self::of_volume(name, truth.insert_axis(Axis(0)), pred.insert_axis(Axis(0)))
    }

    /// Scores a predicted volume against the true one. Both are `[planes, height, width]` with 0 for background, and a
    /// label is one cell in all planes. Outlines are compared within planes: their scores are counted over all planes,
    /// with the median diameter of the cells' sections.
    ///
    /// # Errors
    /// As [`ImageScores::new`].
    pub fn of_volume(name: impl Into<String>, truth: ArrayView3<u32>, pred: ArrayView3<u32>) -> Result<Self> {
        check_sizes(truth, pred)?;
        let (truth_parts, pred_parts) = (Parts::new(truth), Parts::new(pred));
        truth_parts.check("truth")?;
        pred_parts.check("prediction")?;
        let overlaps = Overlaps::count(truth.iter(), pred.iter());
        let detections = overlaps.detections(&THRESHOLDS);
        Ok(ImageScores {
            name: name.into(),
            truth_cells: overlaps.truth().len(),
            pred_cells: overlaps.pred().len(),
            ap: detections.iter().map(Detection::ap).collect(),
            aji: overlaps.aggregated_jaccard_index(),
            pq: overlaps.panoptic_quality(),
            dice: overlaps.dice(),
            splits: overlaps.splits(),
            merges: overlaps.merges(),
            boundaries: boundaries(truth, pred, &SCALES)?,
            truth_parts,
            pred_parts,
            detections,
        })
    }

    /// The mean of the average precision over [`THRESHOLDS`].
    pub fn mean_ap(&self) -> f64 {
        mean(self.ap.iter().copied())
    }

    /// F1 at the first of [`THRESHOLDS`], which is 0.5.
    pub fn f1(&self) -> f64 {
        self.detections.first().map_or(0.0, Detection::f1)
    }
}

impl Method {
    /// Average precision at each of [`THRESHOLDS`], as the mean over the images. The papers of Cellpose plot this.
    pub fn ap(&self) -> Vec<f64> {
        (0..THRESHOLDS.len()).map(|i| self.mean(|image| image.ap.get(i).copied().unwrap_or(0.0))).collect()
    }

    /// Hits and misses at each of [`THRESHOLDS`], summed over all images. Their [`Detection::ap`] gives every cell the same
    /// weight, while [`Method::ap`] gives every image the same weight.
    pub fn pooled(&self) -> Vec<Detection> {
        let sum = |i: usize, part: fn(&Detection) -> usize| {
            self.images.iter().filter_map(|image| image.detections.get(i)).map(part).sum()
        };
        let pool = |(i, &threshold)| Detection {
            threshold,
            true_positives: sum(i, |d| d.true_positives),
            false_positives: sum(i, |d| d.false_positives),
            false_negatives: sum(i, |d| d.false_negatives),
        };
        THRESHOLDS.iter().enumerate().map(pool).collect()
    }

    /// The mean of a score over the images; 0 without images.
    pub fn mean(&self, score: impl Fn(&ImageScores) -> f64) -> f64 {
        mean(self.images.iter().map(score))
    }

    /// The sum of a count over the images.
    pub fn sum(&self, count: impl Fn(&ImageScores) -> usize) -> usize {
        self.images.iter().map(count).sum()
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len().max(1) as f64;
    // The sum of no numbers would be -0.
    values.fold(0.0, |sum, value| sum + value) / n
}
