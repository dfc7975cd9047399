//! The outlines of cells as polygons.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::starts::{Plane, Rows};

/// A closed line between the pixels of one label and those of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    /// The label of the cell.
    pub label: u32,
    /// The corners, `[x, y]`; the last is joined to the first. Pixel (x, y) covers the square from (x, y) to
    /// (x + 1, y + 1). The cell is on the right when one goes from corner to corner, so outer borders go clockwise on the
    /// screen, and borders of holes counterclockwise.
    pub points: Vec<[u32; 2]>,
}

/// Steps to the right, down, left and up.
const STEPS: [[isize; 2]; 4] = [[1, 0], [0, 1], [-1, 0], [0, -1]];

/// The borders of all cells in `masks`, `[height, width]` with 0 for background, in row-major order of their first
/// pixels.
///
/// A cell has one polygon for each of its parts and one for each hole. Parts that touch only at a corner are separate.
/// When the polygons of a cell are filled together, by the even-odd or the nonzero rule, the result is its mask.
///
/// ```
/// let polygons = flowmask::output::polygons(ndarray::array![[0, 7, 7], [0, 7, 7]].view());
/// assert_eq!((polygons.len(), polygons[0].label), (1, 7));
/// assert_eq!(polygons[0].points, [[1, 0], [3, 0], [3, 2], [1, 2]]);
/// ```
pub fn polygons(masks: ArrayView2<u32>) -> Vec<Polygon> {
    let mut found: Vec<Polygon> = of_each_cell(masks).into_iter().flatten().collect();
    found.par_sort_unstable_by_key(first_corner);
    found
}

/// The polygons of each cell in ascending order of the labels.
pub(super) fn of_each_cell(masks: ArrayView2<u32>) -> Vec<Vec<Polygon>> {
    let plane = Plane::new(masks);
    let mut starts = plane.starts(is_peak_or_pit);
    starts.par_sort_unstable_by_key(|&start| (plane.labels[start], start));
    let cells: Vec<&[usize]> = starts.chunk_by(|&a, &b| plane.labels[a] == plane.labels[b]).collect();
    cells.into_par_iter().map(|starts| of_cell(&plane, starts)).collect()
}

/// The polygons of a cell, of which each passes at least one of `starts`; in row-major order of their first pixels.
fn of_cell(plane: &Plane, starts: &[usize]) -> Vec<Polygon> {
    let mut passed = vec![false; starts.len()];
    let mut found = Vec::new();
    for i in 0..starts.len() {
        if !passed[i] {
            found.push(trace(plane, starts[i], |pixel| {
                if let Ok(start) = starts.binary_search(&pixel) {
                    passed[start] = true;
                }
            }));
        }
    }
    found.sort_unstable_by_key(first_corner);
    found
}

/// Row and column of the first pixel of a polygon.
fn first_corner(polygon: &Polygon) -> [u32; 2] {
    [polygon.points[0][1], polygon.points[0][0]]
}

/// Whether a border begins at the pixel to run along tops, and does so at an uppermost place of a cell or at a lowermost of a
/// hole: the pixels to the left and to the right of the tops are both of the cell or both not. Every border of a cell has
/// an uppermost place, and every border of a hole a lowermost.
fn is_peak_or_pit(Rows { row, above }: &Rows, x: usize) -> bool {
    let label = row[x];
    let is_top = |x: &usize| row[*x] == label && above[*x] != label;
    if label == 0 || x > 0 && is_top(&(x - 1)) {
        return false;
    }
    let end = (x..row.len()).take_while(is_top).count() + x;
    (x > 0 && row[x - 1] == label) == (row.get(end) == Some(&label))
}

/// Traces the border that runs to the right from the upper left corner of the pixel `first`, and hands over each pixel where
/// it begins to run along tops.
fn trace(plane: &Plane, first: usize, mut begins: impl FnMut(usize)) -> Polygon {
    let label = plane.labels[first];
    let start = [first % plane.width, first / plane.width].map(|v| v as isize);
    // A negative coordinate becomes a very large one, which is outside too.
    let is_in = |at: [isize; 2]| plane.is_of(at.map(|v| v as usize), label);
    let (mut at, mut way, mut points) = (start, 0, Vec::new());
    loop {
        let [dx, dy] = STEPS[way];
        at = [at[0] + dx, at[1] + dy];
        // The pixels ahead, to the right and to the left of the border.
        let right = [at[0] + (dx - dy - 1) / 2, at[1] + (dx + dy - 1) / 2];
        let left = [at[0] + (dx + dy - 1) / 2, at[1] + (dy - dx - 1) / 2];
        let turn = match (is_in(right), is_in(left)) {
            (false, _) => 1,
            (true, false) => 0,
            (true, true) => 3,
        };
        if turn != 0 {
            points.push(at.map(|v| v as u32));
            way = (way + turn) % 4;
            if way == 0 {
                begins(at[1] as usize * plane.width + at[0] as usize);
            }
        }
        if at == start && way == 0 {
            break;
        }
    }
    let runs_right = |&i: &usize| points[(i + 1) % points.len()][0] > points[i][0];
    let first = (0..points.len()).filter(runs_right).min_by_key(|&i| [points[i][1], points[i][0]]);
    points.rotate_left(first.unwrap_or(0));
    Polygon { label, points }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    /// How often the border goes around the middle of each pixel, clockwise.
    fn windings(polygon: &Polygon, size: (usize, usize)) -> Array2<i32> {
        let corners = polygon.points.iter().zip(polygon.points.iter().cycle().skip(1));
        let sides: Vec<_> = corners.filter(|(a, b)| a[0] == b[0]).collect();
        Array2::from_shape_fn(size, |(y, x)| {
            let crosses = |(a, b): &(&[u32; 2], &[u32; 2])| {
                let y = y as u32;
                match a[0] <= x as u32 {
                    true => i32::from(b[1] <= y && y < a[1]) - i32::from(a[1] <= y && y < b[1]),
                    false => 0,
                }
            };
            sides.iter().map(crosses).sum()
        })
    }

    #[test]
    fn filled_polygons_are_the_masks() {
        let mut state = 1_u32;
        for (height, width, labels) in
            [(1, 1, 2), (1, 9, 3), (7, 1, 2), (13, 17, 2), (20, 19, 3), (31, 29, 5)]
        {
            for _ in 0..8 {
                let masks = Array2::from_shape_fn((height, width), |_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 16) % labels
                });
                let found = polygons(masks.view());
                assert!(found.is_sorted_by(|a, b| first_corner(a) < first_corner(b)));
                for label in 1..labels {
                    let sum = found
                        .iter()
                        .filter(|polygon| polygon.label == label)
                        .fold(Array2::<i32>::zeros(masks.dim()), |sum, polygon| {
                            sum + windings(polygon, masks.dim())
                        });
                    assert_eq!(sum, masks.mapv(|v| i32::from(v == label)), "{label} of {masks}");
                }
            }
        }
    }

    #[test]
    fn parts_and_holes_have_polygons_of_their_own() {
        let masks = array![[4, 4, 4, 0], [4, 0, 4, 0], [4, 4, 4, 0], [0, 0, 0, 4]];
        let points: Vec<_> = polygons(masks.view()).into_iter().map(|polygon| polygon.points).collect();
        let hole = vec![[1, 2], [2, 2], [2, 1], [1, 1]];
        let (outer, corner) = (vec![[0, 0], [3, 0], [3, 3], [0, 3]], vec![[3, 3], [4, 3], [4, 4], [3, 4]]);
        assert_eq!(points, [outer, hole, corner]);
        assert!(polygons(Array2::zeros((3, 4)).view()).is_empty());
        assert!(polygons(Array2::zeros((0, 0)).view()).is_empty());
    }
}
