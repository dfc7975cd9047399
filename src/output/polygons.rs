//! The outlines of cells as polygons.

use ndarray::ArrayView2;

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
    let plane = Plane::new(&masks);
    // Every border runs along the top of at least one pixel. Tops that a traced border has passed are marked.
    let mut passed = vec![false; masks.len()];
    let mut found = Vec::new();
    for start in plane.starts(starts_a_top) {
        if !passed[start] {
            found.push(trace(&plane, &mut passed, start));
        }
    }
    found
}

/// Whether the pixel belongs to a cell whose border runs along its top, and begins to do so there.
fn starts_a_top(Rows { row, above }: &Rows, x: usize) -> bool {
    let is_top = |x: usize| row[x] != 0 && above[x] != row[x];
    is_top(x) && !(x > 0 && row[x - 1] == row[x] && is_top(x - 1))
}

/// Traces a border, which starts at the upper left corner of the pixel `first` and goes to the right.
fn trace(plane: &Plane, passed: &mut [bool], first: usize) -> Polygon {
    let label = plane.labels()[first];
    let start = [first % plane.width, first / plane.width].map(|v| v as isize);
    // A negative coordinate becomes a very large one, which is outside too.
    let is_in = |at: [isize; 2]| plane.is_of(at.map(|v| v as usize), label);
    let (mut at, mut way, mut points) = (start, 0, Vec::new());
    loop {
        let [dx, dy] = STEPS[way];
        if way == 0 {
            passed[at[1] as usize * plane.width + at[0] as usize] = true;
        }
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
        }
        if at == start && way == 0 {
            break;
        }
    }
    // The start was added last.
    points.rotate_right(1);
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
