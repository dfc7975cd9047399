//! The scores of methods over images, as plain numbers: what tables, files and plots are made of.

use ndarray::ArrayView2;

use super::boundary::{Boundary, boundary_scores};
use super::detection::Detection;
use super::overlaps::Overlaps;
use crate::Result;

/// The thresholds of IoU at which an evaluation counts cells: 0.5 to 0.95 in steps of 0.05.
pub const THRESHOLDS: [f64; 10] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// The tolerances of boundaries in an evaluation, as parts of the image's median cell diameter.
pub const SCALES: [f64; 3] = [0.025, 0.1, 0.25];

/// Several methods against the same ground truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// In the order in which they were given.
    pub methods: Vec<Method>,
}

/// What one method made of the images.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Its name, such as that of the folder with its predictions.
    pub name: String,
    /// In the order of their names; not every method needs to have all of them.
    pub images: Vec<ImageScores>,
}

/// One prediction against the ground truth of its image. All numbers are finite; what they are when one side
/// or both have no cells stands in [`crate::metrics`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageScores {
    /// The image's name, without folder, extension and the ending that marks labels.
    pub name: String,
    /// Cells of the ground truth.
    pub truth_cells: usize,
    /// Cells of the prediction.
    pub pred_cells: usize,
    /// Average precision at each of [`THRESHOLDS`], 0 to 1.
    pub ap: Vec<f64>,
    /// Hits and misses at each of [`THRESHOLDS`].
    pub detections: Vec<Detection>,
    /// Aggregated Jaccard index, 0 to 1.
    pub aji: f64,
    /// Panoptic quality, 0 to 1.
    pub pq: f64,
    /// Dice coefficient of cell against background, 0 to 1.
    pub dice: f64,
    /// True cells that were split.
    pub splits: usize,
    /// Predicted cells that merge several true ones.
    pub merges: usize,
    /// Boundary scores at each of [`SCALES`].
    pub boundaries: Vec<Boundary>,
}

impl ImageScores {
    /// Scores the prediction of one image, both `[height, width]` with 0 for background.
    ///
    /// # Errors
    /// [`crate::Error::Image`] when the two have different sizes.
    pub fn new(name: impl Into<String>, truth: ArrayView2<u32>, pred: ArrayView2<u32>) -> Result<Self> {
        let overlaps = Overlaps::new(truth, pred)?;
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
            boundaries: boundary_scores(truth, pred, &SCALES)?,
            detections,
        })
    }

    /// The mean of the average precision over [`THRESHOLDS`].
    pub fn mean_ap(&self) -> f64 {
        mean(self.ap.iter().copied())
    }

    /// F1 at the first of [`THRESHOLDS`], 0.5.
    pub fn f1(&self) -> f64 {
        self.detections.first().map_or(0.0, Detection::f1)
    }
}

impl Method {
    /// Average precision at each of [`THRESHOLDS`]: the mean over the images, as the papers of Cellpose give it
    /// and draw it.
    pub fn ap(&self) -> Vec<f64> {
        (0..THRESHOLDS.len()).map(|i| self.mean(|image| image.ap.get(i).copied().unwrap_or(0.0))).collect()
    }

    /// Hits and misses of all images together at each of [`THRESHOLDS`]; its [`Detection::ap`] gives every cell
    /// the same weight, where [`Method::ap`] gives it to every image.
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
    values.sum::<f64>() / n
}
