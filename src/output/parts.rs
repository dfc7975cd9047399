//! The parts of a cell as rings: simple features, as OGC and GeoJSON define them.

use std::collections::HashMap;

use super::Polygon;

/// The corners of a closed line that does not touch itself, as [`Polygon::points`].
type Ring = Vec<[u32; 2]>;

/// The parts of a cell, given all its polygons. The first ring of a part is its outer border, the others are its holes.
pub(super) fn parts(polygons: &[Polygon]) -> Vec<Vec<Ring>> {
    let rings: Vec<Ring> = polygons.iter().flat_map(|polygon| loops(&polygon.points)).collect();
    let (outer, holes): (Vec<usize>, Vec<usize>) = (0..rings.len()).partition(|&i| is_outer(&rings[i]));
    let part_of = match (outer.as_slice(), holes.is_empty()) {
        ([only], _) => vec![*only; rings.len()],
        (_, true) => (0..rings.len()).collect(),
        _ => outer_of(&rings),
    };
    let mut rings: Vec<Option<Ring>> = rings.into_iter().map(Some).collect();
    let mut parts: Vec<Vec<Ring>> = outer.iter().map(|&i| rings[i].take().into_iter().collect()).collect();
    for hole in holes {
        if let Ok(part) = outer.binary_search(&part_of[hole]) {
            parts[part].extend(rings[hole].take());
        }
    }
    parts
}

/// Cuts a line at the corners that it passes twice. There, two pixels of the part touch at a corner, and what lies between the
/// passes goes around a hole.
fn loops(points: &[[u32; 2]]) -> Vec<Ring> {
    let (mut rings, mut line, mut passed) = (Vec::new(), Vec::new(), HashMap::new());
    for &point in points {
        if let Some(&first) = passed.get(&point) {
            let ring: Ring = line.drain(first..).collect();
            for point in &ring {
                passed.remove(point);
            }
            rings.push(ring);
        }
        passed.insert(point, line.len());
        line.push(point);
    }
    rings.push(line);
    rings
}

/// Whether the ring goes clockwise on the screen: to the right from the first of its uppermost corners.
fn is_outer(ring: &Ring) -> bool {
    let first = (0..ring.len()).min_by_key(|&i| [ring[i][1], ring[i][0]]);
    first.is_some_and(|first| ring[(first + 1) % ring.len()][1] == ring[first][1])
}

/// For each ring the outer one of its part. To the left of the leftmost side of a hole is a run of pixels of its part, and the
/// ring at the beginning of that run lies further to the left.
fn outer_of(rings: &[Ring]) -> Vec<usize> {
    // The sides of pixels that rings go along: row, column and ring.
    let mut sides: Vec<[u32; 3]> = rings.iter().zip(0..).flat_map(|(ring, i)| sides(ring, i)).collect();
    sides.sort_unstable();
    let mut leftmost = vec![(u32::MAX, 0); rings.len()];
    for (place, &[_, x, ring]) in sides.iter().enumerate() {
        let side = &mut leftmost[ring as usize];
        *side = (*side).min((x, place));
    }
    let mut order: Vec<usize> = (0..rings.len()).collect();
    order.sort_unstable_by_key(|&ring| leftmost[ring].0);
    let mut outer: Vec<usize> = (0..rings.len()).collect();
    for ring in order {
        if !is_outer(&rings[ring]) {
            outer[ring] = outer[sides[leftmost[ring].1 - 1][2] as usize];
        }
    }
    outer
}

fn sides(ring: &Ring, number: u32) -> impl Iterator<Item = [u32; 3]> {
    let ends = ring.iter().zip(ring.iter().cycle().skip(1)).filter(|(a, b)| a[0] == b[0]);
    ends.flat_map(move |(a, b)| (a[1].min(b[1])..a[1].max(b[1])).map(move |y| [y, a[0], number]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::polygons;
    use ndarray::{Array2, array};

    fn parts_of(masks: &Array2<u32>, label: u32) -> Vec<Vec<Ring>> {
        let mut polygons = polygons(masks.view());
        polygons.retain(|polygon| polygon.label == label);
        parts(&polygons)
    }

    /// Twice the area inside a ring, negative if it goes around counterclockwise on the screen.
    fn twice_the_area(ring: &Ring) -> i64 {
        let cross = |([a, b], [c, d]): (&[u32; 2], &[u32; 2])| {
            i64::from(*a) * i64::from(*d) - i64::from(*c) * i64::from(*b)
        };
        ring.iter().zip(ring.iter().cycle().skip(1)).map(cross).sum()
    }

    #[test]
    fn a_hole_that_touches_the_border_is_a_hole() {
        let parts = parts_of(&array![[1, 1, 0], [1, 0, 1], [1, 1, 1]], 1);
        let outer = vec![[0, 0], [2, 0], [2, 1], [3, 1], [3, 3], [0, 3]];
        let hole = vec![[2, 1], [1, 1], [1, 2], [2, 2]];
        assert_eq!(parts, [vec![outer, hole]]);
    }

    #[test]
    fn holes_belong_to_the_part_around_them() {
        let masks = array![
            [1, 1, 1, 1, 1, 0, 1, 1, 1],
            [1, 0, 0, 0, 1, 0, 1, 0, 1],
            [1, 0, 1, 0, 1, 0, 1, 1, 1],
            [1, 0, 0, 0, 1, 0, 0, 0, 0],
            [1, 1, 1, 1, 1, 0, 0, 0, 1]
        ];
        let areas: Vec<Vec<i64>> = parts_of(&masks, 1)
            .iter()
            .map(|part| part.iter().map(|r| twice_the_area(r) / 2).collect())
            .collect();
        assert_eq!(areas, [vec![25, -9], vec![9, -1], vec![1], vec![1]]);
    }

    #[test]
    fn parts_have_the_area_of_the_cell_and_rings_that_pass_no_corner_twice() {
        let mut state = 7_u32;
        for (height, width, labels) in [(1, 9, 2), (13, 17, 2), (30, 40, 2), (31, 29, 3)] {
            for _ in 0..20 {
                let masks = Array2::from_shape_fn((height, width), |_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    u32::from(!(state >> 16).is_multiple_of(labels + 1)) * ((state >> 16) % labels + 1)
                });
                for label in 1..=labels {
                    let parts = parts_of(&masks, label);
                    let areas = parts.iter().flatten().map(twice_the_area);
                    let pixels = masks.iter().filter(|&&v| v == label).count();
                    assert_eq!(areas.sum::<i64>(), 2 * pixels as i64, "{label} of {masks}");
                    for part in &parts {
                        assert!(
                            twice_the_area(&part[0]) > 0 && part[1..].iter().all(|r| twice_the_area(r) < 0)
                        );
                        assert!(part.iter().map(twice_the_area).sum::<i64>() > 0, "{label} of {masks}");
                        for ring in part {
                            let mut corners = ring.clone();
                            corners.sort_unstable();
                            corners.dedup();
                            assert_eq!(corners.len(), ring.len());
                        }
                    }
                }
            }
        }
    }
}
