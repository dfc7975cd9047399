//! The convex hull of a cell.

use super::runs::Run;

/// A point of the hull, in halves of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    y: i64,
    x: i64,
}

/// The number of pixels whose middle is in the convex hull of a cell, or on its border. A pixel counts for the middles of its
/// four edges (`convex_hull_image` of scikit-image, with its offset coordinates). `lines` are the runs of each row.
///
/// All of it is computed with whole numbers, so that a pixel on the border is always in.
pub fn convex_pixels(lines: &[&[Run]]) -> u64 {
    let ends = lines.iter().filter_map(|line| Some((line.first()?, line.last()?)));
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (first, last) in ends {
        add(&mut left, first.y, 2 * i64::from(first.start));
        // The right side is a left side in the mirror.
        add(&mut right, last.y, -2 * (i64::from(last.end) - 1));
    }
    let (mut left, mut right) = (Side::new(&left), Side::new(&right));
    let rows = lines.first().zip(lines.last()).map_or(0..0, |(a, b)| a[0].y..b[0].y + 1);
    rows.map(|y| (1 - right.first_pixel(y) - left.first_pixel(y)).max(0) as u64).sum()
}

/// Adds the middles of three edges of the outermost pixel of a row to one side of the hull, which is bent in one direction only
/// (Andrew's monotone chain).
fn add(side: &mut Vec<Point>, row: u32, x: i64) {
    let y = 2 * i64::from(row);
    for point in [Point { y: y - 1, x }, Point { y, x: x - 1 }, Point { y: y + 1, x }] {
        match side.last() {
            Some(last) if last.y == point.y && last.x <= point.x => continue,
            Some(last) if last.y == point.y => drop(side.pop()),
            _ => {}
        }
        while let [.., a, b] = side[..] {
            if (b.x - a.x) * (point.y - a.y) < (point.x - a.x) * (b.y - a.y) {
                break;
            }
            side.pop();
        }
        side.push(point);
    }
}

/// One side of the hull, walked downwards.
struct Side<'a> {
    points: &'a [Point],
}

impl<'a> Side<'a> {
    fn new(points: &'a [Point]) -> Self {
        Side { points }
    }

    /// The first pixel of a row whose middle is not outside this side. Rows must not go backwards.
    fn first_pixel(&mut self, row: u32) -> i64 {
        let y = 2 * i64::from(row);
        while let [_, next, _, ..] = self.points
            && next.y < y
        {
            self.points = &self.points[1..];
        }
        let [a, b, ..] = self.points else { return 0 };
        let height = b.y - a.y;
        let x = a.x * height + (b.x - a.x) * (y - a.y);
        // Rounded up.
        -(-x).div_euclid(2 * height)
    }
}

#[cfg(test)]
mod tests {
    use super::super::runs::{lines, tests::drawn};
    use super::*;

    #[test]
    fn hollows_count_and_corners_do_not() {
        let pixels = |rows: &[&str]| convex_pixels(&lines(&drawn(rows)));
        assert_eq!(pixels(&["#"]), 1);
        assert_eq!(pixels(&["...", ".#.", "..."]), 1);
        assert_eq!(pixels(&["####"]), 4);
        assert_eq!(pixels(&["##", "##"]), 4);
        assert_eq!(pixels(&["#..", ".#.", "..#"]), 3);
        assert_eq!(pixels(&["#.#", "#.#", "###"]), 9);
        assert_eq!(pixels(&["#...#", ".....", "....."]), 5);
        // The second pixel of the first row has its middle on the border.
        assert_eq!(pixels(&["..#..", "##...", "....."]), 4);
        assert_eq!(pixels(&["#....", "#....", "#####"]), 11);
        assert_eq!(convex_pixels(&[]), 0);
    }
}
