//! The two label files of a pair, cut into what is compared: planes, or volumes.

use std::path::Path;

use flowmask::image::{ReadOptions, read_label_stack};
use flowmask::metrics::ImageScores;
use ndarray::{Array4, ArrayView3};
use rayon::prelude::*;

use super::pairs::Pair;

/// The truth and the prediction of a pair, both `[images, planes, height, width]`. An image is one plane, or a volume.
pub struct Compared<'a> {
    pair: &'a Pair,
    truth: Array4<u32>,
    pred: Array4<u32>,
}

impl<'a> Compared<'a> {
    /// Reads both files. Files that differ in the number of planes are an error; a difference in height or width is one
    /// when they are scored.
    pub fn read(pair: &'a Pair, volumes: bool) -> Result<Self, String> {
        let read = |path: &Path| {
            let labels = read_label_stack(path, &ReadOptions::default()).map_err(|e| e.to_string())?.labels;
            let (count, each, height, width) = labels.dim();
            let shape = if volumes { (count, each) } else { (count * each, 1) };
            labels.into_shape_with_order((shape.0, shape.1, height, width)).map_err(|e| e.to_string())
        };
        let (truth, pred) = (read(&pair.truth)?, read(&pair.pred)?);
        let images = |labels: &Array4<u32>| match (labels.dim().0, labels.dim().1) {
            (count, 1) | (1, count) => planes(count),
            (count, each) => format!("{count} volumes of {}", planes(each)),
        };
        let (found, wanted) = (images(&pred), images(&truth));
        match pred.shape()[..2] == truth.shape()[..2] {
            true => Ok(Compared { pair, truth, pred }),
            false => {
                let (pred, truth) = (pair.pred.display(), pair.truth.display());
                Err(format!("{pred}: holds {found}, its truth {truth} holds {wanted}"))
            }
        }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.truth.dim().0
    }

    /// The name of an image: that of the pair, with the image's number where there are several.
    pub fn name(&self, i: usize) -> String {
        if self.len() == 1 { self.pair.name.clone() } else { format!("{}[{i}]", self.pair.name) }
    }

    /// The true and the predicted labels of an image, `[planes, height, width]`.
    pub fn image(&self, i: usize) -> [ArrayView3<'_, u32>; 2] {
        [&self.truth, &self.pred].map(|labels| labels.index_axis(ndarray::Axis(0), i))
    }

    /// Scores every image.
    pub fn scores(&self) -> Result<Vec<ImageScores>, String> {
        let score = |i: usize| {
            let [truth, pred] = self.image(i);
            ImageScores::of_volume(self.name(i), truth, pred).map_err(|error| self.about(i, &error))
        };
        (0..self.len()).into_par_iter().map(score).collect()
    }

    /// An error of an image with the names of both files, since it may be the fault of either.
    pub fn about(&self, i: usize, error: &flowmask::Error) -> String {
        let (pred, truth) = (self.pair.pred.display(), self.pair.truth.display());
        let place = if self.len() == 1 { String::new() } else { format!("[{i}]") };
        let error = error.to_string();
        format!("{pred}{place}: {} (the truth is {truth})", error.strip_prefix("image: ").unwrap_or(&error))
    }

    /// A warning for each of the two files that seems to be a mask: one label has the parts of many cells.
    pub fn warnings(&self, scores: &[ImageScores]) -> Vec<String> {
        let warning = |path: &Path, parts: &dyn Fn(&ImageScores) -> flowmask::metrics::Parts| {
            let mask = scores.iter().map(parts).find(|parts| parts.is_mask())?;
            let (label, parts) = mask.most;
            Some(format!(
                "warning: {}: label {label} has {parts} parts, but counts as one cell; if it is a mask of all cells, number \
                 its parts first (scipy.ndimage.label, or Connected Components Labeling in Fiji)",
                path.display()
            ))
        };
        let truth = warning(&self.pair.truth, &|scores| scores.truth_parts);
        truth.into_iter().chain(warning(&self.pair.pred, &|scores| scores.pred_parts)).collect()
    }
}

/// A number of planes in words.
pub fn planes(count: usize) -> String {
    if count == 1 { "1 plane".into() } else { format!("{count} planes") }
}
