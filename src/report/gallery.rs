//! Segmentations beside the truth, image by image: sheets of panels, as in the papers of Cellpose, and a page.

use std::collections::HashMap;
use std::path::Path;

use askama::Template;
use ndarray::ArrayView2;
use serde_json::json;

use super::figure::Figure;
use super::html::{self, data_uri};
use super::outline::path;
use super::panel::{Panel, Prediction};
use super::sheet;
use crate::{Error, Image, Result};

/// Longest side of a picture, and of one in a gallery of more than [`MANY`]: a page must stay small enough for a
/// browser (about 100 kB a grey image, 30 kB of many).
const SIDES: [usize; 2] = [512, 256];
const MANY: usize = 100;

/// Images, each with the outlines of the truth and of every method. Holds small pictures only.
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
    /// SVG.
    plot: String,
    means: Vec<Means<'a>>,
    /// The thresholds that stand below each panel, by index.
    shown: Vec<(usize, String)>,
    panels: &'a [Panel],
    /// For the script.
    data: serde_json::Value,
}

/// A row of the table.
struct Means<'a> {
    method: &'a str,
    images: usize,
    /// The average precision at each of the thresholds that are shown, and the mean over all.
    values: Vec<String>,
}

impl Gallery {
    /// An empty gallery for about `images` images. `thresholds` are those of the average precisions that follow.
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

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.panels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.panels.is_empty()
    }

    /// Whether there is an image of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Puts an image and its true labels, `[height, width]` with 0 for background, at the end; a name that is there
    /// already stays as it is. Without `image` the true cells are shown in shades of grey.
    ///
    /// # Errors
    /// [`Error::Image`] when there are no labels, or the image has another size.
    pub fn add_truth(&mut self, name: &str, image: Option<&Image>, truth: ArrayView2<u32>) -> Result<()> {
        if !self.contains(name) {
            let panel = Panel::new(name, image, truth, self.side, self.methods.len())?;
            self.places.insert(name.into(), self.panels.len());
            self.panels.push(panel);
        }
        Ok(())
    }

    /// Puts the labels that a method (counted from 0) found in the image `name`, and their average precision at each
    /// threshold, 0 to 1.
    ///
    /// # Errors
    /// [`Error::Image`] when there is no truth of that name or the labels have another size, [`Error::Option`] when
    /// there is no such method or another number of thresholds.
    pub fn add_prediction(
        &mut self,
        name: &str,
        method: usize,
        labels: ArrayView2<u32>,
        ap: &[f64],
    ) -> Result<()> {
        let place = self.places.get(name).and_then(|&i| self.panels.get_mut(i));
        let panel = place.ok_or_else(|| Error::Image(format!("no truth of {name}")))?;
        if method >= self.methods.len() {
            return Err(Error::option("method", format!("{method} of {}", self.methods.len())));
        }
        if ap.len() != self.thresholds.len() {
            let reason = format!("{} values for {} thresholds", ap.len(), self.thresholds.len());
            return Err(Error::option("ap", reason));
        }
        panel.predict(method, labels, ap)
    }

    /// The panels of one method (counted from 0), 36 a sheet, the last with the rest.
    pub fn sheets(&self, method: usize) -> Vec<Figure> {
        let Some(name) = self.methods.get(method) else { return Vec::new() };
        sheet::sheets(name, method, &self.panels, &self.shown())
    }

    /// Writes a page with every image, `plot` on top: one file that loads nothing. Images are sorted and methods
    /// chosen in the browser.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save_html(&self, path: &Path, title: &str, plot: &Figure) -> Result<()> {
        let shown = self.shown();
        let means = (0..self.methods.len()).map(|method| self.means(method, &shown)).collect();
        let page =
            GalleryPage { title, plot: plot.to_svg(), means, shown, panels: &self.panels, data: self.data() };
        html::save(&page, path)
    }

    /// The thresholds that stand below each panel, by index: those that papers name, or else the first.
    fn shown(&self) -> Vec<(usize, String)> {
        let named = |t: &f64| [0.5, 0.75, 0.9].iter().any(|n| (n - t).abs() < 1e-9);
        let all = || self.thresholds.iter().enumerate();
        let mut shown: Vec<_> = all().filter(|(_, t)| named(t)).map(|(i, t)| (i, number(*t))).collect();
        if shown.is_empty() {
            shown.extend(all().take(1).map(|(i, t)| (i, number(*t))));
        }
        shown
    }

    /// The means over the images that a method has segmented.
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

    /// What the page sorts by.
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

/// `0.5`, `0.75`.
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
