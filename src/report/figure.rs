//! Figures: shapes that are drawn one over the other.

use std::io::Write;

use ndarray::Array3;

use super::{raster, svg};
use crate::atomic::{Destination, write_atomic};
use crate::{Error, Result};

/// A point: x to the right and y down, in units of the SVG, which are pixels of a PNG at scale 1.
pub(super) type Point = [f32; 2];

/// Red, green, blue.
pub(super) type Color = [u8; 3];

pub(super) const INK: Color = [0x22, 0x26, 0x2b];
pub(super) const FAINT: Color = [0x6b, 0x72, 0x80];
pub(super) const GRID: Color = [0xe3, 0xe6, 0xea];
pub(super) const WHITE: Color = [255; 3];

/// Which part of a line of text is at its point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The shapes of a figure.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Rect {
        at: Point,
        size: Point,
        color: Color,
    },
    /// Lines of one colour. Each goes through its points.
    Lines {
        lines: Vec<Vec<Point>>,
        color: Color,
        width: f32,
    },
    /// A disc with a white rim.
    Dot {
        center: Point,
        radius: f32,
        color: Color,
    },
    Text(Text),
    /// An image, `[height, width, 3]`, stretched to `size`.
    Picture {
        at: Point,
        size: Point,
        rgb: Array3<u8>,
    },
}

/// One line of text. The point `at` is on its baseline.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub at: Point,
    pub text: String,
    pub size: f32,
    pub color: Color,
    pub anchor: Anchor,
    /// Whether the text runs upwards.
    pub upwards: bool,
}

/// A drawing on a white background, which can be saved as SVG and PNG.
#[derive(Clone, Debug)]
pub struct Figure {
    pub(super) size: [u32; 2],
    pub(super) shapes: Vec<Shape>,
}

impl Figure {
    pub(super) fn new(width: u32, height: u32) -> Self {
        Figure { size: [width, height], shapes: Vec::new() }
    }

    pub(super) fn rect(&mut self, at: Point, size: Point, color: Color) {
        self.shapes.push(Shape::Rect { at, size, color });
    }

    pub(super) fn line(&mut self, points: Vec<Point>, color: Color, width: f32) {
        self.lines(vec![points], color, width);
    }

    pub(super) fn lines(&mut self, lines: Vec<Vec<Point>>, color: Color, width: f32) {
        self.shapes.push(Shape::Lines { lines, color, width });
    }

    pub(super) fn dot(&mut self, center: Point, radius: f32, color: Color) {
        self.shapes.push(Shape::Dot { center, radius, color });
    }

    pub(super) fn picture(&mut self, at: Point, size: Point, rgb: Array3<u8>) {
        self.shapes.push(Shape::Picture { at, size, rgb });
    }

    pub(super) fn text(&mut self, at: Point, text: impl Into<String>, size: f32, anchor: Anchor) {
        self.colored_text(at, text, size, anchor, INK);
    }

    pub(super) fn colored_text(
        &mut self,
        at: Point,
        text: impl Into<String>,
        size: f32,
        anchor: Anchor,
        color: Color,
    ) {
        self.shapes.push(Shape::Text(Text { at, text: text.into(), size, color, anchor, upwards: false }));
    }

    pub(super) fn text_upwards(&mut self, at: Point, text: impl Into<String>, size: f32) {
        let (anchor, color) = (Anchor::Middle, INK);
        self.shapes.push(Shape::Text(Text { at, text: text.into(), size, color, anchor, upwards: true }));
    }

    /// The content of an SVG file, which needs no other file.
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    /// Writes an SVG file.
    ///
    /// # Errors
    /// [`Error::Write`] when the file cannot be written, [`Error::Exists`] when one there must not be replaced.
    pub fn save_svg(&self, to: impl Into<Destination>) -> Result<()> {
        write_atomic(to, |writer| writer.write_all(self.to_svg().as_bytes()))
    }

    /// Writes a PNG file with `scale` pixels for each unit of the SVG.
    ///
    /// # Errors
    /// [`Error::Option`] when the picture would have no pixels or 2³¹ bytes and more, [`Error::Write`] when the file cannot
    /// be written, [`Error::Exists`] when one there must not be replaced.
    pub fn save_png(&self, to: impl Into<Destination>, scale: f32) -> Result<()> {
        let to = to.into();
        let rgb = raster::draw(self, scale)
            .ok_or_else(|| Error::option("scale", format!("{scale} makes the picture empty or too large")))?;
        let png = raster::png(&rgb).map_err(|e| Error::write(to.path(), e))?;
        write_atomic(to, |writer| writer.write_all(&png))
    }
}

/// A colour for each index. The first are those of Okabe and Ito, which colour-blind people can tell apart, without yellow,
/// which is hard to see on white. The next are hues a golden angle apart.
pub(super) fn palette(index: usize) -> Color {
    const COLORS: [Color; 7] = [
        [0x00, 0x72, 0xb2],
        [0xd5, 0x5e, 0x00],
        [0x00, 0x9e, 0x73],
        [0xcc, 0x79, 0xa7],
        [0xe6, 0x9f, 0x00],
        [0x56, 0xb4, 0xe9],
        [0x4a, 0x4a, 0x4a],
    ];
    COLORS.get(index).copied().unwrap_or_else(|| {
        let hue = (index as f64 * 0.618_033_988_749_895).fract();
        [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|third| {
            let wave = 0.5 + 0.5 * (std::f64::consts::TAU * (hue - third)).cos();
            (40.0 + 160.0 * wave) as u8
        })
    })
}

/// The colour as CSS and SVG write it.
pub(super) fn hex([r, g, b]: Color) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// `text` with at most `max_letters` letters: when it is longer, an ellipsis replaces its middle.
pub(super) fn shortened(text: &str, max_letters: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= max_letters {
        return text.into();
    }
    let (head, tail) = (max_letters.saturating_sub(1).div_ceil(2), max_letters.saturating_sub(1) / 2);
    let part = |letters: &[char]| letters.iter().collect::<String>();
    format!("{}…{}", part(&letters[..head.min(letters.len())]), part(&letters[letters.len() - tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shortened("image.tif", 9), "image.tif");
        assert_eq!(shortened("a_very_long_name.tif", 9), "a_ve….tif");
        assert_eq!(shortened("ÄÖÜäöüß", 4), "ÄÖ…ß");
        assert_eq!(shortened("abc", 0), "…");
    }

    #[test]
    fn colors_differ() {
        let colors: std::collections::HashSet<_> = (0..60).map(palette).collect();
        assert_eq!(colors.len(), 60);
    }
}
