//! Maps on which images with similar style vectors are near each other.

use askama::Template;
use ndarray::Array2;
use rayon::prelude::*;
use serde_json::json;

use super::figure::{Anchor, FAINT, Figure, hex, palette, shortened};
use super::html::{self, data_uri};
use super::styles::{SIDE, StyleImage};
use super::tsne::{TsneOptions, tsne};
use crate::Result;
use crate::atomic::Destination;

/// How many similar images the page lists for each image.
const SIMILAR: usize = 8;

/// A map of images on which those with similar style vectors are near each other.
pub struct StyleMap<'a> {
    images: &'a [StyleImage],
    /// `[images, 2]`, from 0 to 1.
    places: Array2<f64>,
    /// The names of the groups, in the order of their first images.
    groups: Vec<&'a str>,
    /// For each image the index of its group.
    group_of: Vec<usize>,
}

/// The page of a map.
#[derive(Template)]
#[template(path = "map.html", config = "src/report/page/askama.toml")]
struct MapPage<'a> {
    title: &'a str,
    /// Name and colour of each group, when there are several.
    legend: Vec<(&'a str, String)>,
    dots: Vec<Dot<'a>>,
    /// The data that the script reads.
    data: serde_json::Value,
}

/// An image on the page.
struct Dot<'a> {
    image: &'a StyleImage,
    group: usize,
    color: String,
    /// x and y in percent of the map's width and height.
    place: [f64; 2],
}

impl<'a> StyleMap<'a> {
    /// The smallest number of images that makes a map.
    pub const MIN_IMAGES: usize = 4;

    /// Places the images on a map with [`tsne`]. Returns `None` when there are fewer than [`StyleMap::MIN_IMAGES`], or when
    /// their style vectors differ in length.
    pub fn new(images: &'a [StyleImage], options: &TsneOptions) -> Option<Self> {
        let length = images.first()?.style.len();
        if images.len() < Self::MIN_IMAGES || images.iter().any(|image| image.style.len() != length) {
            return None;
        }
        let points = Array2::from_shape_fn((images.len(), length), |(i, j)| images[i].style[j]);
        let places = into_unit_square(tsne(points.view(), options));
        let (mut groups, mut group_of): (Vec<&str>, _) = (Vec::new(), Vec::new());
        for image in images {
            let known = groups.iter().position(|group| *group == image.group);
            group_of.push(known.unwrap_or(groups.len()));
            if known.is_none() {
                groups.push(&image.group);
            }
        }
        Some(StyleMap { images, places, groups, group_of })
    }

    /// The map as a plot, with one dot for each image in the colour of its group.
    pub fn figure(&self) -> Figure {
        let legend = if self.groups.len() > 1 { self.groups.len() } else { 0 };
        let rows = (720.0 / ROW) as usize - 1;
        let columns = legend.div_ceil(rows).min(3);
        let mut figure = Figure::new(780 + 260 * columns as u32, 800);
        figure.text([30.0, 34.0], "t-SNE of the style vectors", 18.0, Anchor::Start);
        let count = format!("{} images", self.images.len());
        figure.colored_text([750.0, 34.0], count, 15.0, Anchor::End, FAINT);
        for (place, &group) in self.places.rows().into_iter().zip(&self.group_of) {
            let center = [0, 1].map(|axis| 700.0 * place[axis] as f32);
            figure.dot([40.0 + center[0], 70.0 + center[1]], 6.0, palette(group));
        }
        for (i, group) in self.groups.iter().take(legend.min(3 * rows)).enumerate() {
            let (x, y) = (790.0 + 260.0 * (i / rows) as f32, 75.0 + ROW * (i % rows) as f32);
            figure.dot([x, y], 6.0, palette(i));
            figure.text([x + 14.0, y + 5.0], shortened(group, 30), 15.0, Anchor::Start);
        }
        figure
    }

    /// Writes the map as an HTML page with a small picture of every image; a click lists the most similar images. The page
    /// loads no other file.
    ///
    /// # Errors
    /// [`crate::Error::Write`] when the file cannot be written, [`crate::Error::Exists`] when one there must not be
    /// replaced.
    pub fn save_html(&self, to: impl Into<Destination>, title: &str) -> Result<()> {
        let legend = if self.groups.len() > 1 { &self.groups[..] } else { &[] };
        let page = MapPage {
            title,
            legend: legend.iter().enumerate().map(|(i, &group)| (group, hex(palette(i)))).collect(),
            dots: (0..self.images.len()).map(|i| self.dot(i)).collect(),
            data: json!({ "like": self.similar() }),
        };
        html::save(&page, to)
    }

    fn dot(&self, i: usize) -> Dot<'_> {
        let group = self.group_of[i];
        let place = [0, 1].map(|axis| 100.0 * self.places[(i, axis)]);
        Dot { image: &self.images[i], group, color: hex(palette(group)), place }
    }

    /// For each image the most similar other images: their indices, and the cosines of the angles between the style vectors.
    fn similar(&self) -> Vec<Vec<(usize, f64)>> {
        let cosine = |i: usize, j: usize| {
            let (a, b) = (&self.images[i].style, &self.images[j].style);
            // Style vectors have length 1 (or 0), so the dot product is the cosine.
            match (a.as_slice(), b.as_slice()) {
                (Some(a), Some(b)) => dot(a, b),
                _ => 0.0,
            }
        };
        let nearest = |i: usize| {
            let others = (0..self.images.len()).filter(|&j| j != i);
            let mut others: Vec<(usize, f64)> = others.map(|j| (j, cosine(i, j))).collect();
            let order = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            if SIMILAR < others.len() {
                others.select_nth_unstable_by(SIMILAR, order);
                others.truncate(SIMILAR);
            }
            others.sort_unstable_by(order);
            others.iter().map(|(j, value)| (*j, (value * 1e4).round() / 1e4)).collect()
        };
        (0..self.images.len()).into_par_iter().map(nearest).collect()
    }
}

/// The dot product, in double precision and several parts at once, which become vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const WIDTH: usize = 8;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WIDTH>(), b.as_chunks::<WIDTH>());
    let mut sums = [0.0; WIDTH];
    for (a, b) in a.iter().zip(b) {
        for part in 0..WIDTH {
            sums[part] += f64::from(a[part]) * f64::from(b[part]);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| f64::from(*a) * f64::from(*b));
    rest.fold(sums.iter().sum(), |sum, part| sum + part)
}

/// The height of a row of the legend.
const ROW: f32 = 24.0;

/// Scales both axes by the same factor, such that the places fill the unit square and are centred in it.
fn into_unit_square(mut places: Array2<f64>) -> Array2<f64> {
    let bounds = |axis: usize| {
        let values = places.column(axis);
        let (low, high) = (
            values.iter().copied().fold(f64::INFINITY, f64::min),
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        (low, high)
    };
    let [x, y] = [bounds(0), bounds(1)];
    let extent = (x.1 - x.0).max(y.1 - y.0).max(f64::MIN_POSITIVE);
    for (axis, (low, high)) in [x, y].into_iter().enumerate() {
        places.column_mut(axis).mapv_inplace(|v| 0.5 + (v - (low + high) / 2.0) / extent);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;
    use ndarray::{Array1, Array2, array};

    #[test]
    fn a_map_fills_the_square_and_keeps_its_form() {
        let places = into_unit_square(array![[1.0, 5.0], [3.0, 6.0], [5.0, 5.5]]);
        assert_eq!(places, array![[0.0, 0.375], [0.5, 0.625], [1.0, 0.5]]);
        let point = into_unit_square(Array2::from_elem((3, 2), 7.0));
        assert_eq!(point, Array2::from_elem((3, 2), 0.5));
    }

    #[test]
    fn the_most_similar_images_come_first_and_groups_keep_their_order() {
        let picture = Image::from_gray(Array2::<u8>::zeros((4, 4)).view()).unwrap();
        let image = |group: &str, style: [f32; 2]| {
            StyleImage::new("x", group, &picture, Array1::from(style.to_vec()))
        };
        let images =
            [image("b", [1.0, 0.0]), image("a", [0.0, 1.0]), image("b", [0.8, 0.6]), image("c", [0.6, 0.8])];
        let map = StyleMap::new(&images, &TsneOptions::default()).unwrap();
        assert_eq!((&map.groups[..], &map.group_of[..]), (&["b", "a", "c"][..], &[0, 1, 0, 2][..]));
        let like: Vec<Vec<usize>> =
            map.similar().iter().map(|row| row.iter().map(|(j, _)| *j).collect()).collect();
        assert_eq!(like, [[2, 3, 1], [3, 2, 0], [3, 0, 1], [2, 1, 0]]);
        assert_eq!(map.figure().to_svg().matches("<circle").count(), 4 + 3);
        assert!(StyleMap::new(&images[..3], &TsneOptions::default()).is_none());
    }
}
