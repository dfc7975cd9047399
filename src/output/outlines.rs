//! The outlines of cells as pixels.

use ndarray::{Array2, ArrayView2};

/// Which pixels of `masks`, `[height, width]`, are on the outline of a cell. Such a pixel belongs to a cell, and at least
/// one of its four neighbours has another label. The border of the image does not count as a neighbour.
pub fn outlines(masks: ArrayView2<u32>) -> Array2<bool> {
    rims(masks, 1)
}

/// Outlines that are `width` pixels wide and lie inside the cells.
pub(super) fn rims(masks: ArrayView2<u32>, width: usize) -> Array2<bool> {
    Array2::from_shape_fn(masks.dim(), |(y, x)| {
        let label = masks[(y, x)];
        let other = |y: usize, x: usize| masks.get((y, x)).is_some_and(|&neighbour| neighbour != label);
        // Above the first row is row `usize::MAX`, which is outside too.
        let crossed = |d| {
            other(y.wrapping_sub(d), x) || other(y + d, x) || other(y, x.wrapping_sub(d)) || other(y, x + d)
        };
        label != 0 && (1..=width).any(crossed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn outlines_are_inside_the_cells() {
        let masks = array![[1, 1, 1, 2, 2], [1, 1, 1, 2, 2], [1, 1, 1, 0, 0], [0, 0, 0, 0, 3]];
        let expected = array![[0, 0, 1, 1, 0], [0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 1]];
        assert_eq!(outlines(masks.view()), expected.mapv(|v| v == 1));
        let wide = array![[0, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 1]];
        assert_eq!(rims(masks.view(), 2), wide.mapv(|v| v == 1));
        assert_eq!(outlines(Array2::ones((2, 2)).view()), Array2::from_elem((2, 2), false));
    }
}
