//! The perimeter of a cell in a plane.

use std::f64::consts::SQRT_2;

use super::runs::Run;

/// Columns from the first to the one before the second.
type Span = (u32, u32);

/// The length of the border of a cell, along the middles of its border pixels: those that have a neighbour above, below, left
/// or right outside the cell. What a border pixel adds depends on how many of its neighbours are border pixels too, straight
/// and diagonal ones (Benkrid and Crookes, Design and FPGA implementation of a perimeter estimator, as `perimeter` of
/// scikit-image has it). `lines` are the runs of each row; the work grows with them, not with the area.
pub fn perimeter(lines: &[&[Run]]) -> f64 {
    let mut scratch = Vec::new();
    let border: Vec<Vec<Span>> = (0..lines.len())
        .map(|i| {
            let [above, below] = neighbours(lines, i).map(|line| line.map_or(&[][..], |line| lines[line]));
            inside(lines[i], above, below, &mut scratch);
            rest(lines[i], &scratch)
        })
        .collect();
    let mut counts = [0_u64; 3];
    for i in 0..lines.len() {
        let rows = neighbours(lines, i).map(|line| line.map_or(&[][..], |line| &border[line]));
        count(&border[i], rows, &mut counts);
    }
    let [ones, roots, halves] = counts.map(|count| count as f64);
    ones + roots * SQRT_2 + halves * (1.0 + SQRT_2) / 2.0
}

/// The places of the lines of the rows above and below, where the cell has pixels.
fn neighbours(lines: &[&[Run]], i: usize) -> [Option<usize>; 2] {
    let row = |line: usize| lines.get(line).map(|line| u64::from(line[0].y));
    let own = row(i).unwrap_or(0);
    let above = i.checked_sub(1).filter(|&line| row(line) == own.checked_sub(1));
    [above, Some(i + 1).filter(|&line| row(line) == Some(own + 1))]
}

/// The pixels of a row that have all four neighbours.
fn inside(line: &[Run], above: &[Run], below: &[Run], out: &mut Vec<Span>) {
    out.clear();
    let (mut i, mut j, mut k) = (0, 0, 0);
    while let (Some(own), Some(a), Some(b)) = (line.get(i), above.get(j), below.get(k)) {
        let start = (own.start + 1).max(a.start).max(b.start);
        let end = (own.end - 1).min(a.end).min(b.end);
        if start < end {
            out.push((start, end));
        }
        match own.end.min(a.end).min(b.end) {
            first if first == own.end => i += 1,
            first if first == a.end => j += 1,
            _ => k += 1,
        }
    }
}

/// The pixels of a row that are not inside.
fn rest(line: &[Run], inside: &[Span]) -> Vec<Span> {
    let mut border = Vec::with_capacity(line.len() + inside.len());
    let mut inside = inside.iter().peekable();
    for run in line {
        let mut at = run.start;
        while let Some(&(start, end)) = inside.next_if(|span| span.0 < run.end) {
            border.push((at, start));
            at = end;
        }
        border.push((at, run.end));
    }
    border
}

/// Counts the border pixels of a row that add 1, √2, and the mean of both.
fn count(row: &[Span], [above, below]: [&[Span]; 2], counts: &mut [u64; 3]) {
    let mut walks = [above, row, below].map(|spans| Walk { spans });
    for x in row.iter().flat_map(|&(start, end)| start..end) {
        let [[a, b, c], [d, _, e], [f, g, h]] = [walks[0].around(x), walks[1].around(x), walks[2].around(x)];
        let (straight, diagonal) = (b + d + e + g, a + c + f + h);
        match 1 + 2 * straight + 10 * diagonal {
            5 | 7 | 15 | 17 | 25 | 27 => counts[0] += 1,
            21 | 33 => counts[1] += 1,
            13 | 23 => counts[2] += 1,
            _ => {}
        }
    }
}

/// Spans that are looked up from left to right.
struct Walk<'a> {
    spans: &'a [Span],
}

impl Walk<'_> {
    /// Whether the columns before, at and after `x` are in the spans: 1 or 0.
    fn around(&mut self, x: u32) -> [u32; 3] {
        while self.spans.first().is_some_and(|span| span.1 < x) {
            self.spans = &self.spans[1..];
        }
        // The first span may end before `x`, the second hold it, and the third begin after it.
        let near = &self.spans[..self.spans.len().min(3)];
        // Columns are counted from 1 here, so that there is one before the first.
        let has = |column: u32| u32::from(near.iter().any(|&(start, end)| start < column && column <= end));
        [has(x), has(x + 1), has(x + 2)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::runs::{lines, tests::drawn};
    use super::*;

    fn of(rows: &[&str]) -> f64 {
        perimeter(&lines(&drawn(rows)))
    }

    #[test]
    fn squares_lines_and_points_have_their_length() {
        assert_eq!(of(&["#"]), 0.0);
        assert_eq!(of(&["##", "##"]), 4.0);
        assert_eq!(of(&["....", ".###", ".###", ".###"]), 8.0);
        assert_eq!(of(&["####"]), 2.0);
        assert_eq!(of(&[".#.", "###", ".#."]), 4.0 * SQRT_2);
        assert_eq!(of(&[]), 0.0);
    }

    #[test]
    fn holes_and_gaps_have_borders_too() {
        assert_eq!(of(&["###", "#.#", "###"]), 8.0);
        // A row without pixels parts two lines.
        assert_eq!(of(&["####", "....", "####"]), 4.0);
        let ring = of(&["#######", "#######", "##...##", "##...##", "##...##", "#######", "#######"]);
        assert!(ring > 24.0, "{ring}");
    }
}
