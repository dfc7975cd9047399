//! The regression of the size model.

/// A linear map from styles to the logarithms of relative diameters: `ymean + a · (style − smean)`.
#[derive(Clone, Debug, PartialEq)]
pub struct SizeFit {
    /// The coefficients, `[channel]`.
    pub a: Vec<f64>,
    /// The mean of the styles, `[channel]`.
    pub smean: Vec<f64>,
    /// The mean of the logarithms.
    pub ymean: f64,
}

/// Fits the size model of the original (`train_size`): ridge regression with λ = 1, `(X Xᵀ + 1) a = X y`, where `X` are
/// the styles and `y` the logarithms, each less their mean.
///
/// `styles` are `[image, channel]`; `log_ratios` are `log(diameter · scale / diam_mean)` of the same images. Returns `None`
/// when there is no image, when `styles` is not a whole number of channels for each, or for numbers that are not finite.
///
/// ```
/// // X Xᵀ + 1 = 9 and X y = 9, whose decomposition is exact.
/// let fit = flowmask::train::fit_size(&[-2.0, 0.0, 2.0], &[0.0, 2.25, 4.5]).unwrap();
/// assert_eq!((fit.a[0], fit.smean[0], fit.ymean), (1.0, 0.0, 2.25));
/// ```
pub fn fit_size(styles: &[f32], log_ratios: &[f32]) -> Option<SizeFit> {
    let images = log_ratios.len();
    let channels = styles.len().checked_div(images)?;
    let finite = styles.iter().chain(log_ratios).all(|v| v.is_finite());
    if channels == 0 || channels * images != styles.len() || !finite {
        return None;
    }
    let count = images as f64;
    let mut smean = vec![0.0f64; channels];
    for style in styles.chunks_exact(channels) {
        smean.iter_mut().zip(style).for_each(|(mean, v)| *mean += f64::from(*v) / count);
    }
    let ymean = log_ratios.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let (mut matrix, mut right) = (vec![0.0; channels * channels], vec![0.0; channels]);
    for (style, ratio) in styles.chunks_exact(channels).zip(log_ratios) {
        let x: Vec<f64> = style.iter().zip(&smean).map(|(v, mean)| f64::from(*v) - mean).collect();
        let y = f64::from(*ratio) - ymean;
        for (row, value) in x.iter().enumerate() {
            right[row] += value * y;
            let row = &mut matrix[row * channels..][..channels];
            row.iter_mut().zip(&x).for_each(|(sum, other)| *sum += value * other);
        }
    }
    matrix.iter_mut().step_by(channels + 1).for_each(|v| *v += 1.0);
    Some(SizeFit { a: solve(matrix, right), smean, ymean })
}

/// Solves a symmetric positive definite system by Cholesky's decomposition, whose factor takes the place of the matrix.
fn solve(mut matrix: Vec<f64>, mut x: Vec<f64>) -> Vec<f64> {
    let n = x.len();
    for row in 0..n {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| matrix[row * n + k] * matrix[column * n + k]).sum();
            let rest = matrix[row * n + column] - known;
            matrix[row * n + column] =
                if row == column { rest.sqrt() } else { rest / matrix[column * n + column] };
        }
    }
    for row in 0..n {
        let known: f64 = (0..row).map(|k| matrix[row * n + k] * x[k]).sum();
        x[row] = (x[row] - known) / matrix[row * n + row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| matrix[k * n + row] * x[k]).sum();
        x[row] = (x[row] - known) / matrix[row * n + row];
    }
    x
}
