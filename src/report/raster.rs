//! Draws figures as pixels. The font is part of the program, so that a server without fonts draws the same picture.

use std::io;

use ndarray::{Array3, ArrayView3};
use tiny_skia::{
    FillRule, FilterQuality, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PixmapPaint, Rect, Stroke,
    Transform,
};
use ttf_parser::{Face, OutlineBuilder};

use super::figure::{Anchor, Color, Figure, Point, Shape, Text, WHITE};
use crate::output::encode_png;

const FONT: &[u8] = include_bytes!("font/roboto.ttf");

/// The picture, `[height, width, 3]`; `None` when it would be empty or too large.
pub(super) fn draw(figure: &Figure, scale: f32) -> Option<Array3<u8>> {
    let [width, height] = figure.size.map(|side| (side as f32 * scale).round() as u32);
    let mut pixmap = Pixmap::new(width, height)?;
    pixmap.fill(tiny_skia::Color::WHITE);
    let face = Face::parse(FONT, 0).ok()?;
    for shape in &figure.shapes {
        draw_shape(&mut pixmap, shape, &face, Transform::from_scale(scale, scale));
    }
    let rgb = pixmap.data().chunks_exact(4).flat_map(|pixel| pixel[..3].iter().copied()).collect();
    Array3::from_shape_vec((height as usize, width as usize, 3), rgb).ok()
}

/// A picture, `[height, width, 3]`, as the bytes of a PNG file.
pub(super) fn png(rgb: &Array3<u8>) -> io::Result<Vec<u8>> {
    let (height, width, _) = rgb.dim();
    let (mut bytes, samples) = (Vec::new(), rgb.iter().copied().collect::<Vec<u8>>());
    // A grey picture is stored as grey, which is three times smaller. This matters when a page has many of them.
    match samples.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]) {
        true => {
            let gray: Vec<u8> = samples.iter().copied().step_by(3).collect();
            encode_png(&mut bytes, (height, width), png::ColorType::Grayscale, png::BitDepth::Eight, &gray)?;
        }
        false => {
            encode_png(&mut bytes, (height, width), png::ColorType::Rgb, png::BitDepth::Eight, &samples)?;
        }
    }
    Ok(bytes)
}

/// Draws a shape. Shapes with an empty extent, or one that is not finite, are left out.
fn draw_shape(pixmap: &mut Pixmap, shape: &Shape, face: &Face, transform: Transform) {
    match shape {
        Shape::Rect { at: [x, y], size: [width, height], color } => {
            if let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) {
                pixmap.fill_rect(rect, &paint(*color), transform, None);
            }
        }
        Shape::Lines { lines, color, width } => {
            let stroke = Stroke {
                width: *width,
                line_cap: LineCap::Round,
                line_join: LineJoin::Round,
                ..Stroke::default()
            };
            if let Some(path) = polyline(lines) {
                pixmap.stroke_path(&path, &paint(*color), &stroke, transform, None);
            }
        }
        Shape::Dot { center: [x, y], radius, color } => {
            if let Some(disc) = PathBuilder::from_circle(*x, *y, *radius) {
                pixmap.fill_path(&disc, &paint(*color), FillRule::Winding, transform, None);
                pixmap.stroke_path(&disc, &paint(WHITE), &Stroke::default(), transform, None);
            }
        }
        Shape::Text(text) => {
            if let Some(path) = glyphs(text, face) {
                pixmap.fill_path(&path, &paint(text.color), FillRule::Winding, transform, None);
            }
        }
        Shape::Picture { at, size, rgb } => draw_picture(pixmap, *at, *size, rgb.view(), transform),
    }
}

fn paint([r, g, b]: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

fn polyline(lines: &[Vec<Point>]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for line in lines {
        for (i, &[x, y]) in line.iter().enumerate() {
            if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
    }
    path.finish()
}

fn draw_picture(pixmap: &mut Pixmap, at: Point, size: Point, rgb: ArrayView3<u8>, transform: Transform) {
    let (height, width, _) = rgb.dim();
    let side = |n| u32::try_from(n).unwrap_or(0);
    let Some(mut picture) = Pixmap::new(side(width), side(height)) else { return };
    for (to, from) in picture.data_mut().chunks_exact_mut(4).zip(rgb.rows()) {
        let pixel = [from[0], from[1], from[2], 255];
        to.copy_from_slice(&pixel);
    }
    let (sx, sy) = (size[0] / width as f32, size[1] / height as f32);
    let place = transform.pre_translate(at[0], at[1]).pre_scale(sx, sy);
    let paint = PixmapPaint { quality: FilterQuality::Bilinear, ..PixmapPaint::default() };
    pixmap.draw_pixmap(0, 0, picture.as_ref(), &paint, place, None);
}

/// The outlines of a text at its place. Letters that the font lacks become boxes.
fn glyphs(text: &Text, face: &Face) -> Option<Path> {
    let scale = text.size / f32::from(face.units_per_em());
    let mut pen = Pen { path: PathBuilder::new(), advance: 0.0 };
    for letter in text.text.chars() {
        let glyph = face.glyph_index(letter).unwrap_or_default();
        face.outline_glyph(glyph, &mut pen);
        pen.advance += f32::from(face.glyph_hor_advance(glyph).unwrap_or(0));
    }
    let left = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => pen.advance / 2.0,
        Anchor::End => pen.advance,
    };
    let turn = if text.upwards { Transform::from_rotate(-90.0) } else { Transform::identity() };
    let place = Transform::from_translate(text.at[0], text.at[1]).pre_concat(turn);
    // The y axis of a font points up.
    pen.path.finish()?.transform(place.pre_scale(scale, -scale).pre_translate(-left, 0.0))
}

/// Collects the glyphs of a line one after the other, in the font's units.
struct Pen {
    path: PathBuilder,
    advance: f32,
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.advance + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.advance + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.advance + x1, y1, self.advance + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let a = self.advance;
        self.path.cubic_to(a + x1, y1, a + x2, y2, a + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::INK;

    /// Where something is drawn: left, top, right, bottom.
    fn bounds(figure: &Figure) -> [usize; 4] {
        let rgb = draw(figure, 1.0).unwrap();
        let dark = rgb.indexed_iter().filter(|(_, v)| **v < 128).map(|((y, x, _), _)| (x, y));
        dark.fold([usize::MAX, usize::MAX, 0, 0], |[l, t, r, b], (x, y)| {
            [l.min(x), t.min(y), r.max(x), b.max(y)]
        })
    }

    #[test]
    fn text_is_where_it_is_anchored() {
        let at = |anchor| {
            let mut figure = Figure::new(400, 100);
            figure.text([200.0, 60.0], "HHHHHHHH", 20.0, anchor);
            bounds(&figure)
        };
        let [start, middle, end] = [Anchor::Start, Anchor::Middle, Anchor::End].map(at);
        // Capitals of Roboto are 0.71 em high, and an H is 0.71 em wide.
        assert!((59..=60).contains(&start[3]) && (44..=47).contains(&start[1]), "{start:?}");
        assert!((200..=204).contains(&start[0]) && (305..=316).contains(&start[2]), "{start:?}");
        assert!((middle[0] + middle[2]).abs_diff(400) <= 2, "{middle:?}");
        assert!((196..=200).contains(&end[2]), "{end:?}");
        let mut figure = Figure::new(100, 400);
        figure.text_upwards([60.0, 200.0], "HHHHHHHH", 20.0);
        let up = bounds(&figure);
        assert!((up[1] + up[3]).abs_diff(400) <= 2 && (44..=47).contains(&up[0]), "{up:?}");
    }

    #[test]
    fn pictures_and_shapes_fill_their_place() {
        let mut figure = Figure::new(60, 40);
        figure.picture([10.0, 20.0], [20.0, 10.0], Array3::zeros((5, 5, 3)));
        assert_eq!(bounds(&figure), [10, 20, 29, 29]);
        let mut figure = Figure::new(60, 40);
        figure.rect([5.0, 6.0], [7.0, 8.0], INK);
        assert_eq!(bounds(&figure), [5, 6, 11, 13]);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let mut figure = Figure::new(20, 20);
        figure.line(vec![[f32::NAN, 1.0], [2.0, f32::INFINITY]], INK, 1.0);
        figure.line(vec![], INK, 1.0);
        figure.picture([0.0, 0.0], [5.0, 5.0], Array3::zeros((0, 0, 3)));
        figure.text([0.0, 0.0], "", 10.0, Anchor::Start);
        assert!(draw(&figure, 1.0).unwrap().iter().all(|v| *v == 255));
        for scale in [0.0, f32::NAN, 1e30] {
            assert!(draw(&figure, scale).is_none(), "{scale}");
        }
    }
}
