//! The ellipse and the ellipsoid that have the moments of a cell.

use std::f64::consts::FRAC_PI_4;

/// The ellipse with the same second moments as a cell. A pixel is a point in its middle, as in scikit-image: no 1/12 for its
/// extent is added, so a cell of one pixel has axes of length 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ellipse {
    pub major: f64,
    pub minor: f64,
    pub eccentricity: f64,
    pub orientation: f64,
}

impl Ellipse {
    /// From the variances along y and x, and their covariance. The axes are four times the roots of the eigenvalues of the
    /// covariance matrix (Jähne, Spatio-Temporal Image Processing, chapter 8).
    pub fn new(yy: f64, yx: f64, xx: f64) -> Self {
        let difference = (xx - yy).hypot(2.0 * yx);
        let large = (xx + yy + difference) / 2.0;
        // The product of both is the determinant. Taken as a difference, the smaller one would lose its digits.
        let small = if large > 0.0 { (difference_of_products(xx, yy, yx) / large).max(0.0) } else { 0.0 };
        let eccentricity = if large > 0.0 { (difference / large).sqrt() } else { 0.0 };
        let orientation = match xx == yy {
            // Both diagonals, and a disc, of which scikit-image says the same.
            true if yx > 0.0 => FRAC_PI_4,
            true => -FRAC_PI_4,
            false => 0.5 * (2.0 * yx).atan2(yy - xx),
        };
        Ellipse { major: 4.0 * large.sqrt(), minor: 4.0 * small.sqrt(), eccentricity, orientation }
    }
}

/// `a * b - c * c` with an error of the last digit (Kahan).
fn difference_of_products(a: f64, b: f64, c: f64) -> f64 {
    let square = c * c;
    a.mul_add(b, -square) - c.mul_add(c, -square)
}

/// The longest and the shortest axis of the ellipsoid with these second moments, by the axes z, y, x (above the diagonal):
/// twice the roots of five times the largest and the smallest eigenvalue.
pub fn ellipsoid(covariance: [[f64; 3]; 3]) -> [f64; 2] {
    let eigenvalues = eigenvalues(covariance);
    let axis = |value: f64| (20.0 * value.max(0.0)).sqrt();
    [
        axis(eigenvalues.into_iter().fold(f64::MIN, f64::max)),
        axis(eigenvalues.into_iter().fold(f64::MAX, f64::min)),
    ]
}

/// The eigenvalues of a symmetric matrix, of which the part above the diagonal is read, by Jacobi's rotations (Golub and Van
/// Loan, Matrix Computations, 8.5).
fn eigenvalues(upper: [[f64; 3]; 3]) -> [f64; 3] {
    let mut a: [[f64; 3]; 3] = std::array::from_fn(|i| std::array::from_fn(|j| upper[i.min(j)][i.max(j)]));
    // Convergence is quadratic: no matrix takes ten sweeps.
    for _ in 0..10 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] != 0.0 {
                rotate(&mut a, p, q);
            }
        }
    }
    [a[0][0], a[1][1], a[2][2]]
}

/// Makes the element at `p`, `q` zero.
fn rotate(a: &mut [[f64; 3]; 3], p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let (sine, off, other) = (tangent * cosine, a[p][q], 3 - p - q);
    a[p][p] -= tangent * off;
    a[q][q] += tangent * off;
    let (at_p, at_q) = (a[other][p], a[other][q]);
    let turned = [cosine * at_p - sine * at_q, sine * at_p + cosine * at_q];
    (a[other][p], a[other][q]) = (turned[0], turned[1]);
    (a[p][other], a[q][other]) = (turned[0], turned[1]);
    (a[p][q], a[q][p]) = (0.0, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_discs_have_their_direction() {
        let line = Ellipse::new(0.0, 0.0, 2.0);
        assert_eq!((line.minor, line.eccentricity), (0.0, 1.0));
        assert_eq!(line.major, 4.0 * 2_f64.sqrt());
        // Rows are the axis from which the angle is counted.
        assert_eq!(line.orientation.abs(), 2.0 * FRAC_PI_4);
        assert_eq!(Ellipse::new(2.0, 0.0, 0.0).orientation, 0.0);
        assert_eq!(Ellipse::new(1.0, 1.0, 1.0).orientation, FRAC_PI_4);
        assert_eq!(Ellipse::new(1.0, -1.0, 1.0).orientation, -FRAC_PI_4);
        let point = Ellipse::new(0.0, 0.0, 0.0);
        assert_eq!((point.major, point.minor, point.eccentricity), (0.0, 0.0, 0.0));
        let disc = Ellipse::new(3.0, 0.0, 3.0);
        assert_eq!((disc.eccentricity, disc.major), (0.0, disc.minor));
    }

    #[test]
    fn eigenvalues_are_those_of_a_turned_diagonal() {
        let (c, s) = (0.6, 0.8);
        // diag(9, 4, 1) turned within the first two axes, and then within the last two.
        let one = [[9.0 * c * c + 4.0 * s * s, 5.0 * c * s], [0.0, 9.0 * s * s + 4.0 * c * c]];
        let turned = [
            [one[0][0], one[0][1] * c, one[0][1] * s],
            [0.0, one[1][1] * c * c + s * s, (one[1][1] - 1.0) * c * s],
            [0.0, 0.0, one[1][1] * s * s + c * c],
        ];
        let mut found = eigenvalues(turned);
        found.sort_by(f64::total_cmp);
        for (found, wanted) in found.into_iter().zip([1.0, 4.0, 9.0]) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        assert_eq!(ellipsoid([[1e-3, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 0.2]]), [10.0, 0.02_f64.sqrt()]);
        assert_eq!(ellipsoid([[0.0; 3]; 3]), [0.0; 2]);
    }
}
