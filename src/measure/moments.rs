//! Where a cell is, how large, and how its pixels are spread.

use super::runs::Run;
use super::sums::Sums;

/// The box of a cell and the moments of its pixels, by the axes z, y, x. Sums are whole numbers, so they are exact.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// The number of pixels.
    pub pixels: u64,
    /// The first plane, row and column.
    pub start: [u32; 3],
    /// Those after the last.
    pub end: [u32; 3],
    /// The sums of the coordinates, counted from `start`.
    sums: [i128; 3],
    /// The sums of their products; the part below the diagonal is 0.
    products: [[i128; 3]; 3],
}

impl Moments {
    /// Of the runs of a cell, and what is summed over them.
    pub fn of(cell: &[Run], sums: &Sums) -> Self {
        let Sums { pixels, start, end, coordinates, .. } = *sums;
        let from_start =
            |axis: usize| i128::from(coordinates[axis]) - i128::from(pixels) * i128::from(start[axis]);
        let sums = [0, 1, 2].map(from_start);
        let mut moments = Moments { pixels, start, end, sums, products: Default::default() };
        cell.iter().for_each(|run| moments.add(run));
        moments
    }

    fn add(&mut self, run: &Run) {
        let from = |coordinate: u32, axis: usize| i128::from(coordinate) - i128::from(self.start[axis]);
        let (z, y, first) = (from(run.z, 0), from(run.y, 1), from(run.start, 2));
        let (count, last) = (i128::from(run.pixels()), first + i128::from(run.pixels()) - 1);
        let sum = (first + last) * count / 2;
        // The sum of the squares of the whole numbers up to n.
        let squares = |n: i128| n * (n + 1) * (2 * n + 1) / 6;
        let square = squares(last) - squares(first - 1);
        let plus = [[z * z * count, z * y * count, z * sum], [0, y * y * count, y * sum], [0, 0, square]];
        let products = self.products.iter_mut().flatten();
        products.zip(plus.into_iter().flatten()).for_each(|(to, plus)| *to += plus);
    }

    /// The mean plane, row and column of the pixels.
    pub fn centroid(&self) -> [f64; 3] {
        let count = i128::from(self.pixels);
        let mean =
            |axis: usize| (i128::from(self.start[axis]) * count + self.sums[axis]) as f64 / count as f64;
        [mean(0), mean(1), mean(2)]
    }

    /// The covariance of the pixels' coordinates along two axes, the first of which is not after the second: the mean of the
    /// products of their distances from the centroid.
    pub fn covariance(&self, one: usize, other: usize) -> f64 {
        let count = i128::from(self.pixels);
        let scaled = count * self.products[one][other] - self.sums[one] * self.sums[other];
        scaled as f64 / (count as f64 * count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::runs::tests::drawn;
    use super::*;

    fn of(cell: &[Run]) -> Moments {
        Moments::of(cell, &Sums::of(cell, &[]))
    }

    #[test]
    fn sums_over_runs_are_those_over_pixels() {
        let rows = ["......", "..##.#", ".####.", "...#.."];
        let moments = of(&drawn(&rows));
        let mut pixels = Vec::new();
        for (y, row) in rows.iter().enumerate() {
            pixels.extend(
                row.bytes().enumerate().filter(|(_, c)| *c == b'#').map(|(x, _)| [y as f64, x as f64]),
            );
        }
        let n = pixels.len() as f64;
        let mean = |value: &dyn Fn(&[f64; 2]) -> f64| pixels.iter().map(value).sum::<f64>() / n;
        let (y, x) = (mean(&|p| p[0]), mean(&|p| p[1]));
        assert_eq!((moments.start, moments.end, moments.pixels), ([0, 1, 1], [1, 4, 6], 8));
        assert_eq!(moments.centroid(), [0.0, y, x]);
        for (one, other, wanted) in [
            (1, 1, mean(&|p| (p[0] - y).powi(2))),
            (1, 2, mean(&|p| (p[0] - y) * (p[1] - x))),
            (2, 2, mean(&|p| (p[1] - x).powi(2))),
            (0, 0, 0.0),
        ] {
            assert!((moments.covariance(one, other) - wanted).abs() < 1e-14, "{one} {other}");
        }
    }
}
