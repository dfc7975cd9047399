//! Writes figures as SVG.

use std::fmt::Write;

use super::figure::{Anchor, Figure, Point, Shape, Text, hex};
use super::html::data_uri;
use crate::mark::SOFTWARE;
use crate::text::printable;

pub(super) fn write(figure: &Figure) -> String {
    let [width, height] = figure.size;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"Roboto, Helvetica, Arial, sans-serif\">\n\
         <metadata>{SOFTWARE}</metadata>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for shape in &figure.shapes {
        svg.push_str(&element(shape));
        svg.push('\n');
    }
    svg.push_str("</svg>\n");
    svg
}

fn element(shape: &Shape) -> String {
    match shape {
        Shape::Rect { at: [x, y], size: [width, height], color } => format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>",
            hex(*color)
        ),
        Shape::Lines { lines, color, width } => format!(
            "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\"/>",
            lines.iter().map(|line| path(line)).collect::<String>(),
            hex(*color)
        ),
        Shape::Dot { center: [x, y], radius, color } => format!(
            "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" fill=\"{}\" stroke=\"#ffffff\"/>",
            hex(*color)
        ),
        Shape::Text(text) => text_element(text),
        Shape::Picture { at: [x, y], size: [width, height], rgb } => format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             preserveAspectRatio=\"none\" href=\"{}\"/>",
            data_uri(rgb)
        ),
    }
}

fn path(points: &[Point]) -> String {
    let mut path = String::new();
    for (i, [x, y]) in points.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(path, "{}{x:.2} {y:.2}", if i == 0 { 'M' } else { 'L' });
    }
    path
}

fn text_element(text: &Text) -> String {
    let [x, y] = text.at;
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let turn = if text.upwards { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    format!(
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" fill=\"{}\" text-anchor=\"{anchor}\"{turn}>{}</text>",
        text.size,
        hex(text.color),
        escape(&printable(&text.text))
    )
}

/// Escapes `text` for use as the content of an element.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML does not allow these two.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let text = escape(&printable("<b a=\"1\">&\u{1}\u{ffff}ü\u{9b}"));
        assert_eq!(text, "&lt;b a=&quot;1&quot;&gt;&amp;\\u0001\u{fffd}ü\\u009b");
    }
}
