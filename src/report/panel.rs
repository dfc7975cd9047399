//! A panel of a gallery: a small picture of an image with the true outlines and those of each method.

use std::collections::HashSet;

use ndarray::{Array2, Array3, ArrayView2, s};

use super::outline::{Run, outline};
use crate::output::colors;
use crate::{Error, Image, Result};

/// One image of a gallery.
pub(super) struct Panel {
    pub name: String,
    /// The small picture, `[height, width, 3]`.
    pub picture: Array3<u8>,
    /// (height, width) of the image itself.
    full: (usize, usize),
    pub truth: Vec<Run>,
    pub truth_cells: usize,
    /// One for each method; `None` where the method has not segmented this image.
    pub predictions: Vec<Option<Prediction>>,
}

/// What one method found in an image.
pub(super) struct Prediction {
    pub outline: Vec<Run>,
    pub cells: usize,
    /// The average precision at each of the gallery's thresholds.
    pub ap: Vec<f64>,
}

impl Panel {
    /// Height and width of the picture are at most `side`. Without an image, the picture shows the true cells in grey.
    pub fn new(
        name: &str,
        image: Option<&Image>,
        truth: ArrayView2<u32>,
        side: usize,
        methods: usize,
    ) -> Result<Self> {
        let full = truth.dim();
        if full.0 == 0 || full.1 == 0 {
            return Err(Error::Image(format!("{name}: its labels have no pixels")));
        }
        let size = small(full, side);
        let labels = pick(truth, size);
        let picture = match image {
            Some(image) => {
                same_size(name, image.size(), full)?;
                average(&colors(image), size)
            }
            None => shades(&labels),
        };
        Ok(Panel {
            name: name.into(),
            picture,
            full,
            truth: outline(&labels),
            truth_cells: cells(truth),
            predictions: (0..methods).map(|_| None).collect(),
        })
    }

    pub fn predict(&mut self, method: usize, labels: ArrayView2<u32>, ap: &[f64]) -> Result<()> {
        same_size(&self.name, labels.dim(), self.full)?;
        let prediction = Prediction {
            outline: outline(&pick(labels, self.size())),
            cells: cells(labels),
            ap: ap.to_vec(),
        };
        if let Some(place) = self.predictions.get_mut(method) {
            *place = Some(prediction);
        }
        Ok(())
    }

    /// Height and width of the picture.
    pub fn size(&self) -> (usize, usize) {
        let (height, width, _) = self.picture.dim();
        (height, width)
    }
}

fn same_size(name: &str, found: (usize, usize), wanted: (usize, usize)) -> Result<()> {
    match found == wanted {
        true => Ok(()),
        false => Err(Error::Image(format!(
            "{name}: {} by {} pixels instead of the {} by {} of the truth",
            found.0, found.1, wanted.0, wanted.1
        ))),
    }
}

fn cells(labels: ArrayView2<u32>) -> usize {
    labels.iter().filter(|label| **label != 0).collect::<HashSet<_>>().len()
}

/// The size of the picture: the proportions of the image, with height and width from 1 to `side`.
fn small((height, width): (usize, usize), side: usize) -> (usize, usize) {
    let longest = height.max(width).max(1);
    let shrink = |n: usize| if longest <= side { n } else { (n * side).div_ceil(longest) };
    (shrink(height), shrink(width))
}

/// Scales labels down: each pixel gets the label at its middle.
fn pick(labels: ArrayView2<u32>, (height, width): (usize, usize)) -> Array2<u32> {
    let (full_height, full_width) = labels.dim();
    let middle = |i: usize, full: usize, small: usize| (2 * i + 1) * full / (2 * small);
    Array2::from_shape_fn((height, width), |(y, x)| {
        labels[(middle(y, full_height, height), middle(x, full_width, width))]
    })
}

/// Scales a picture down: each pixel gets the mean of the pixels that it covers, even in part.
fn average(rgb: &Array3<u8>, (height, width): (usize, usize)) -> Array3<u8> {
    let (full_height, full_width, _) = rgb.dim();
    let part = |i: usize, full: usize, small: usize| i * full / small..((i + 1) * full).div_ceil(small);
    Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
        let pixels = rgb.slice(s![part(y, full_height, height), part(x, full_width, width), c]);
        let sum: usize = pixels.iter().map(|v| usize::from(*v)).sum();
        (sum / pixels.len().max(1)) as u8
    })
}

/// A small picture of an image, with at most `side` pixels in height and width.
pub(super) fn thumbnail(image: &Image, side: usize) -> Array3<u8> {
    average(&colors(image), small(image.size(), side))
}

/// A picture of the cells in dark greys on black.
fn shades(labels: &Array2<u32>) -> Array3<u8> {
    let (height, width) = labels.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, _)| match labels[(y, x)] {
        0 => 0,
        label => 50 + (label.wrapping_mul(2_654_435_769) >> 26) as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn small_pictures_keep_form_and_mean() {
        assert_eq!(small((100, 50), 20), (20, 10));
        assert_eq!(small((10, 20), 20), (10, 20));
        assert_eq!(small((1, 100_000), 256), (1, 256));
        let rgb = Array3::from_shape_fn((4, 6, 3), |(y, x, c)| (10 * (y / 2) + 20 * (x / 2) + c) as u8);
        let want = Array3::from_shape_fn((2, 3, 3), |(y, x, c)| (10 * y + 20 * x + c) as u8);
        assert_eq!(average(&rgb, (2, 3)), want);
        assert_eq!(average(&rgb, (4, 6)), rgb);
        assert_eq!(pick(array![[1, 2, 3, 4, 5, 6]].view(), (1, 2)), array![[2, 5]]);
    }

    #[test]
    fn other_sizes_are_refused() {
        let truth = Array2::<u32>::ones((4, 5));
        let image = Image::from_gray(Array2::<u8>::zeros((5, 4)).view()).unwrap();
        let error = |result: Result<Panel>| match result {
            Err(Error::Image(message)) => message,
            _ => panic!(),
        };
        assert!(error(Panel::new("a", Some(&image), truth.view(), 9, 1)).contains("a: 5 by 4"));
        error(Panel::new("a", None, Array2::zeros((0, 5)).view(), 9, 1));
        let mut panel = Panel::new("a", None, truth.view(), 9, 1).unwrap();
        assert!(panel.predict(0, Array2::zeros((5, 4)).view(), &[]).is_err());
        panel.predict(0, truth.view(), &[1.0]).unwrap();
        assert_eq!((panel.truth_cells, panel.predictions[0].as_ref().unwrap().cells), (1, 1));
    }
}
