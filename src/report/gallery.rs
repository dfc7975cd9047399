//! Galleries that show each image with the true and the predicted outlines: sheets of panels, as in the papers of
//! Cellpose, and an HTML page.

use std::collections::HashMap;

use askama::Template;
use ndarray::ArrayView2;
use serde_json::json;

use super::figure::Figure;
use super::html::{self, data_uri};
use super::outline::path;
use super::panel::{Panel, Prediction};
use super::sheet;
use crate::atomic::Destination;
use crate::{Error, Image, Result};

/// The longest side of a picture, and of a picture in a gallery of more than [`MANY`] images. A page must stay small enough
/// for a browser: a grey image takes about 100 kB, or 30 kB in the smaller size.
const SIDES: [usize; 2] = [512, 256];
const MANY: usize = 100;

/// Images with the outlines of the truth and of every method. A gallery keeps only small pictures of the images.
pub struct Gallery {
    methods: Vec<String>,
    thresholds: Vec<f64>,
    side: usize,
    panels: Vec<Panel>,
    places: HashMap<String, usize>,
}

/// The page of a gallery.
#[derive(Template)]
#[template(path = "gallery.html", config = "src/report/page/askama.toml")]
struct GalleryPage<'a> {
    title: &'a str,
    /// The plot at the top, as SVG.
    plot: String,
    means: Vec<Means<'a>>,
    /// The index and the text of each threshold whose score stands below each panel.
    shown: Vec<(usize, String)>,
    panels: &'a [Panel],
    /// The data that the script reads.
    data: serde_json::Value,
}

/// A row of the table with the mean scores.
struct Means<'a> {
    method: &'a str,
    images: usize,
    /// The average precision at each of the shown thresholds, and its mean over all thresholds.
    values: Vec<String>,
}

impl Gallery {
    /// An empty gallery. `images` is about how many images will be added, from which the size of the pictures follows.
    /// `thresholds` are the IoU thresholds of the average precisions that [`Gallery::add_prediction`] takes.
    pub fn new<S: Into<String>>(
        methods: impl IntoIterator<Item = S>,
        thresholds: &[f64],
        images: usize,
    ) -> Self {
        Gallery {
            methods: methods.into_iter().map(Into::into).collect(),
            thresholds: thresholds.to_vec(),
            side: SIDES[usize::from(images > MANY)],
            panels: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.panels.len()
    }

    /// Whether the gallery has no images.
    pub fn is_empty(&self) -> bool {
        self.panels.is_empty()
    }

    /// Whether the gallery has an image with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Adds an image with its true labels, `[height, width]` with 0 for background. Nothing happens when the gallery already
    /// has an image with this name. Without `image`, the true cells are shown in shades of grey.
    ///
    /// # Errors
    /// [`Error::Image`] when the labels have no pixels, or differ from the image in size.
    pub fn add_truth(&mut self, name: &str, image: Option<&Image>, truth: ArrayView2<u32>) -> Result<()> {
        if !self.contains(name) {
            let panel = Panel::new(name, image, truth, self.side, self.methods.len())?;
            self.places.insert(name.into(), self.panels.len());
            self.panels.push(panel);
        }
        Ok(())
    }

    /// Adds what a method found in the image `name`. `method` is its index, from 0; `ap` is the average precision at each
    /// threshold, 0 to 1.
    ///
    /// # Errors
    /// [`Error::Image`] when the image has not been added or the labels differ from it in size, [`Error::Option`] when
    /// there is no such method or `ap` does not have one value for each threshold.
    pub fn add_prediction(
        &mut self,
        name: &str,
        method: usize,
        labels: ArrayView2<u32>,
        ap: &[f64],
    ) -> Result<()> {
        let place = self.places.get(name).and_then(|&i| self.panels.get_mut(i));
        let panel =
            place.ok_or_else(|| Error::Image(format!("{name}: its truth was not added to the gallery")))?;
        if method >= self.methods.len() {
            return Err(Error::option(
                "method",
                format!("there is no method {method}; the gallery has {}", self.methods.len()),
            ));
        }
        if ap.len() != self.thresholds.len() {
            let reason = format!("has {} values for {} thresholds", ap.len(), self.thresholds.len());
            return Err(Error::option("ap", reason));
        }
        panel.predict(method, labels, ap)
    }

    /// The sheets of one method, which is counted from 0. Each sheet has 36 images, and the last may have fewer.
    pub fn sheets(&self, method: usize) -> Vec<Figure> {
        let Some(name) = self.methods.get(method) else { return Vec::new() };
        sheet::sheets(name, method, &self.panels, &self.shown())
    }

    /// Writes an HTML page with `plot` at the top and every image below. In the browser, the reader can sort the images and
    /// choose the method. The page loads no other file.
    ///
    /// # Errors
    /// [`Error::Write`] when the file cannot be written, [`Error::Exists`] when one there must not be replaced.
    pub fn save_html(&self, to: impl Into<Destination>, title: &str, plot: &Figure) -> Result<()> {
        let shown = self.shown();
        let means = (0..self.methods.len()).map(|method| self.means(method, &shown)).collect();
        let page =
            GalleryPage { title, plot: plot.to_svg(), means, shown, panels: &self.panels, data: self.data() };
        html::save(&page, to)
    }

    /// The index and the text of the thresholds whose scores stand below each panel: those that papers name (0.5, 0.75,
    /// 0.9) or, if there are none, the first.
    fn shown(&self) -> Vec<(usize, String)> {
        let named = |t: &f64| [0.5, 0.75, 0.9].iter().any(|n| (n - t).abs() < 1e-9);
        let all = || self.thresholds.iter().enumerate();
        let mut shown: Vec<_> = all().filter(|(_, t)| named(t)).map(|(i, t)| (i, number(*t))).collect();
        if shown.is_empty() {
            shown.extend(all().take(1).map(|(i, t)| (i, number(*t))));
        }
        shown
    }

    /// The mean scores over the images that a method has segmented.
    fn means(&self, method: usize, shown: &[(usize, String)]) -> Means<'_> {
        let found: Vec<&Prediction> =
            self.panels.iter().filter_map(|panel| panel.predictions[method].as_ref()).collect();
        let mean = |value: &dyn Fn(&Prediction) -> f64| match found.len() {
            0 => "–".into(),
            n => format!("{:.3}", found.iter().map(|p| value(p)).sum::<f64>() / n as f64),
        };
        let mut values: Vec<String> = shown.iter().map(|(i, _)| mean(&|p| p.ap[*i])).collect();
        values.push(mean(&mean_ap));
        Means { method: &self.methods[method], images: found.len(), values }
    }

    /// The names and scores by which the page sorts images.
    fn data(&self) -> serde_json::Value {
        let ap = |panel: &Panel| -> Vec<_> {
            panel.predictions.iter().map(|p| p.as_ref().map(|p| p.ap.clone())).collect()
        };
        let image =
            |panel: &Panel| json!({ "name": panel.name, "cells": panel.truth_cells, "ap": ap(panel) });
        json!({ "methods": self.methods, "images": self.panels.iter().map(image).collect::<Vec<_>>() })
    }
}

fn mean_ap(prediction: &Prediction) -> f64 {
    prediction.ap.iter().sum::<f64>() / prediction.ap.len().max(1) as f64
}

/// A threshold as text, without trailing zeros.
fn number(threshold: f64) -> String {
    format!("{}", (threshold * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn what_does_not_belong_is_refused() {
        let labels = Array2::<u32>::ones((8, 8));
        let mut gallery = Gallery::new(["a"], &[0.5, 0.75], 1);
        gallery.add_truth("x", None, labels.view()).unwrap();
        gallery.add_truth("x", None, labels.view()).unwrap();
        assert_eq!(gallery.len(), 1);
        assert!(matches!(gallery.add_prediction("y", 0, labels.view(), &[0.0; 2]), Err(Error::Image(_))));
        assert!(matches!(
            gallery.add_prediction("x", 1, labels.view(), &[0.0; 2]),
            Err(Error::Option { .. })
        ));
        assert!(matches!(
            gallery.add_prediction("x", 0, labels.view(), &[0.0; 3]),
            Err(Error::Option { .. })
        ));
        gallery.add_prediction("x", 0, labels.view(), &[1.0, 0.5]).unwrap();
        assert_eq!((gallery.sheets(0).len(), gallery.sheets(1).len()), (1, 0));
    }

    #[test]
    fn a_sheet_has_36_panels() {
        let labels = Array2::<u32>::ones((8, 8));
        let mut gallery = Gallery::new(["a"], &[0.5], 80);
        for i in 0..80 {
            gallery.add_truth(&format!("image {i}"), None, labels.view()).unwrap();
        }
        let sheets = gallery.sheets(0);
        let count = |sheet: &Figure| sheet.to_svg().matches("<image").count();
        assert_eq!(sheets.iter().map(count).collect::<Vec<_>>(), [36, 36, 8]);
    }
}
