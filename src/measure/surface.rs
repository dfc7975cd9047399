//! The surface of a cell in a volume.

use super::windows::Windows;

/// The triangles that marching cubes put into a window, for one of each 48 windows that are the same but for turning and
/// mirroring: the components of their normals along z, y and x, whose length is twice the area, in quarters and without signs.
/// They follow from the rule (Lewiner et al., Journal of Graphics Tools 8, 2003) with vertices in the middle of edges;
/// `tests/readers/test_measure.py` compares them with scikit-image.
const TRIANGLES: [(u8, &[[u8; 3]]); 20] = [
    (1, &[[1, 1, 1]]),
    (3, &[[2, 2, 0], [2, 2, 0]]),
    (6, &[[1, 1, 1], [1, 1, 1], [2, 2, 2], [2, 2, 2]]),
    (7, &[[1, 1, 1], [2, 2, 2], [4, 0, 0]]),
    (15, &[[4, 0, 0], [4, 0, 0]]),
    (
        22,
        &[[1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 2], [0, 0, 2], [0, 2, 0], [0, 2, 0], [2, 0, 0], [2, 0, 0]],
    ),
    (23, &[[1, 1, 1], [1, 1, 1], [2, 2, 2], [2, 2, 2]]),
    (24, &[[1, 1, 1], [1, 1, 1]]),
    (25, &[[0, 2, 2], [0, 2, 2], [1, 1, 3], [1, 3, 1], [3, 1, 1]]),
    (27, &[[0, 2, 2], [1, 1, 1], [2, 0, 2], [3, 3, 3]]),
    (30, &[[1, 1, 1], [1, 1, 1], [2, 2, 2], [4, 0, 0]]),
    (31, &[[1, 1, 1], [2, 2, 2], [4, 0, 0]]),
    (60, &[[2, 2, 0], [2, 2, 0], [2, 2, 0], [2, 2, 0]]),
    (
        61,
        &[[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 2, 0], [2, 0, 0], [1, 1, 3], [1, 3, 1], [3, 1, 1]],
    ),
    (63, &[[2, 2, 0], [2, 2, 0]]),
    (105, &[[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1]]),
    (107, &[[1, 1, 1], [1, 1, 1], [1, 1, 1]]),
    (111, &[[1, 1, 1], [1, 1, 1]]),
    (126, &[[1, 1, 1], [1, 1, 1]]),
    (127, &[[1, 1, 1]]),
];

/// The surface of windows whose voxels have some size.
#[derive(Clone, Debug)]
pub struct Areas([f64; 256]);

impl Areas {
    /// For voxels with these edges along z, y and x.
    pub fn new(voxel: [f64; 3]) -> Self {
        let mut areas = [0.0; 256];
        for (window, triangles) in TRIANGLES {
            for (order, flipped) in
                SYMMETRIES.iter().flat_map(|order| (0..8).map(move |flips| (order, flips)))
            {
                let area = |normal: &[u8; 3]| area(order.map(|axis| normal[axis]), voxel);
                areas[turned(window, *order, flipped)] = triangles.iter().map(area).sum();
            }
        }
        Areas(areas)
    }

    /// The area of the mesh that marching cubes make of a cell at a level of one half (`marching_cubes` and
    /// `mesh_surface_area` of scikit-image), with background around the cell.
    pub fn surface(&self, windows: &Windows) -> f64 {
        self.0.iter().zip(windows).map(|(area, &count)| area * count as f64).sum()
    }
}

/// Which axis takes the place of each.
const SYMMETRIES: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// The window in which axis `i` is what axis `order[i]` was, mirrored along the axes whose bits are set in `flipped`.
fn turned(window: u8, order: [usize; 3], flipped: usize) -> usize {
    let corner = |corner: usize| {
        // The bits of a corner are 4 z + 2 y + x.
        let bits = [corner >> 2 & 1, corner >> 1 & 1, corner & 1];
        let to: [usize; 3] = std::array::from_fn(|i| bits[order[i]] ^ (flipped >> i & 1));
        4 * to[0] + 2 * to[1] + to[2]
    };
    (0..8).filter(|&i| window >> i & 1 == 1).map(|i| 1 << corner(i)).sum()
}

/// The area of a triangle from its normal in quarters of a voxel's faces.
fn area(normal: [u8; 3], [z, y, x]: [f64; 3]) -> f64 {
    let faces = [y * x, z * x, z * y];
    let squares = normal.iter().zip(faces).map(|(&part, face)| (f64::from(part) / 4.0 * face).powi(2));
    squares.sum::<f64>().sqrt() / 2.0
}

#[cfg(test)]
mod tests {
    use super::super::{runs::lines, runs::runs, windows::windows};
    use super::*;
    use ndarray::{Array3, Axis};

    #[test]
    fn all_windows_but_the_empty_and_the_full_have_a_surface() {
        let areas = Areas::new([1.0; 3]).0;
        assert!((1..255).all(|window| areas[window] > 0.2), "{areas:?}");
        assert_eq!((areas[0], areas[255]), (0.0, 0.0));
    }

    #[test]
    fn a_voxel_is_an_octahedron_and_a_box_has_its_faces() {
        let of = |volume: Array3<u32>, voxel: [f64; 3]| {
            let planes: Vec<_> = volume.axis_iter(Axis(0)).collect();
            Areas::new(voxel).surface(&windows(&lines(&runs(&planes, None))))
        };
        let octahedron = 3_f64.sqrt();
        assert!((of(Array3::ones((1, 1, 1)), [1.0; 3]) - octahedron).abs() < 1e-15);
        // Its half axes are 1, 2 and 3: eight triangles, each half the length of a normal.
        let normal = (36.0_f64 + 9.0 + 4.0).sqrt();
        assert!((of(Array3::ones((1, 1, 1)), [2.0, 4.0, 6.0]) - 4.0 * normal).abs() < 1e-13);
        // Between the middles of its outer voxels a box has whole faces, along its edges slopes of half a voxel, and at its corners
        // the faces of an octahedron.
        let slopes = 4.0 * (3.0 + 4.0 + 5.0) * 0.5_f64.sqrt();
        let wanted = 2.0 * (12.0 + 15.0 + 20.0) + slopes + octahedron;
        assert!((of(Array3::ones((4, 5, 6)), [1.0; 3]) - wanted).abs() < 1e-12);
    }
}
