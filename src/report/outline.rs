//! Outlines of cells as lines between pixels.

use std::fmt::Write;

use ndarray::{Array2, ArrayView1, Axis};

use super::figure::Point;

/// A straight line between pixels, from its start to the right or down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    x: usize,
    y: usize,
    length: usize,
    down: bool,
}

/// The lines between pixels with different labels. The border of the image has no line.
pub(super) fn outline(labels: &Array2<u32>) -> Vec<Run> {
    let mut runs = Vec::new();
    for (axis, down) in [(Axis(0), false), (Axis(1), true)] {
        let rows: Vec<_> = labels.axis_iter(axis).collect();
        for (i, pair) in rows.windows(2).enumerate() {
            for (start, length) in differences(pair[0], pair[1]) {
                let (x, y) = if down { (i + 1, start) } else { (start, i + 1) };
                runs.push(Run { x, y, length, down });
            }
        }
    }
    runs
}

/// The start and the length of each stretch in which two neighbouring rows differ.
fn differences(a: ArrayView1<u32>, b: ArrayView1<u32>) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        match runs.last_mut() {
            _ if a == b => {}
            Some((start, length)) if *start + *length == i => *length += 1,
            _ => runs.push((i, 1)),
        }
    }
    runs
}

/// The lines as the `d` attribute of an SVG path, in which a pixel is one unit.
pub(super) fn path(runs: &[Run]) -> String {
    let mut path = String::new();
    for Run { x, y, length, down } in runs {
        // Writing to a string cannot fail.
        let _ = write!(path, "M{x} {y}{}{length}", if *down { 'v' } else { 'h' });
    }
    path
}

/// The lines as those of a figure, with the upper left corner of the image at `at` and `scale` units for each pixel.
pub(super) fn lines(runs: &[Run], at: Point, scale: f32) -> Vec<Vec<Point>> {
    let place = |x: usize, y: usize| [at[0] + scale * x as f32, at[1] + scale * y as f32];
    let line = |&Run { x, y, length, down }: &Run| {
        let end = if down { (x, y + length) } else { (x + length, y) };
        vec![place(x, y), place(end.0, end.1)]
    };
    runs.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn outlines_are_between_labels() {
        let runs = outline(&array![[0, 0, 0, 0], [0, 1, 1, 2], [0, 1, 1, 2], [0, 0, 0, 0]]);
        assert_eq!(path(&runs), "M1 1h3M1 3h3M1 1v2M3 1v2");
        assert_eq!(lines(&runs[3..], [10.0, 20.0], 2.0), [[[16.0, 22.0], [16.0, 26.0]]]);
        assert_eq!(path(&outline(&array![[1, 0, 1, 1, 0]])), "M1 0v1M2 0v1M4 0v1");
        for same in [Array2::zeros((0, 0)), Array2::zeros((1, 1)), Array2::from_elem((3, 4), 5)] {
            assert_eq!(outline(&same), []);
        }
    }
}
