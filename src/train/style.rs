//! The style vector: the mean of the deepest map over its pixels, divided by its norm; and the linear maps of it.

use super::maps::Maps;
use crate::model::params::Linear;

/// The styles of a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Styles {
    /// `[image, channel]`, each of unit length.
    pub units: Vec<Vec<f32>>,
    /// The lengths before the division.
    lengths: Vec<f32>,
}

/// The styles of the deepest maps. Zeros stay zeros, where the original divides by zero.
pub(super) fn forward(deepest: &Maps) -> Styles {
    let mut styles = Styles::default();
    let pixels = deepest.height * deepest.width;
    for image in deepest.data.chunks_exact(pixels * deepest.channels) {
        let mean: Vec<f64> = sums(image, deepest.channels).iter().map(|sum| sum / pixels as f64).collect();
        let length = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
        let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
        styles.units.push(mean.iter().map(|m| (m * factor) as f32).collect());
        styles.lengths.push(length as f32);
    }
    styles
}

/// Adds to the gradient of the deepest maps, `dx`, what comes from the gradient of the styles:
/// `(d − unit (unit · d)) / length / pixels` at each pixel.
pub(super) fn backward(styles: &Styles, dstyles: &[Vec<f32>], dx: &mut Maps) {
    let (pixels, channels) = (dx.height * dx.width, dx.channels);
    for (image, dx) in dx.data.chunks_exact_mut(pixels * channels).enumerate() {
        let (unit, d, length) = (&styles.units[image], &dstyles[image], styles.lengths[image]);
        if length > 0.0 {
            let along: f32 = unit.iter().zip(d).map(|(u, d)| u * d).sum();
            let part = unit.iter().zip(d).map(|(u, d)| (d - u * along) / length / pixels as f32);
            let part: Vec<f32> = part.collect();
            for pixel in dx.chunks_exact_mut(channels) {
                pixel.iter_mut().zip(&part).for_each(|(v, part)| *v += part);
            }
        }
    }
}

/// Adds `linear(style)` to every pixel of each image.
pub(super) fn shift(linear: &Linear, styles: &Styles, x: &mut Maps) {
    let image = x.height * x.width * x.channels;
    for (x, unit) in x.data.chunks_exact_mut(image).zip(&styles.units) {
        let rows = linear.weight.chunks_exact(unit.len()).zip(&linear.bias);
        let shift: Vec<f32> =
            rows.map(|(row, bias)| row.iter().zip(unit).map(|(w, s)| w * s).sum::<f32>() + bias).collect();
        for pixel in x.chunks_exact_mut(shift.len()) {
            pixel.iter_mut().zip(&shift).for_each(|(v, shift)| *v += shift);
        }
    }
}

/// Adds the gradients of [`shift`]: those of its parameters to `grad`, that of the styles to `dstyles`.
pub(super) fn shift_backward(
    linear: &Linear,
    styles: &Styles,
    dx: &Maps,
    grad: &mut Linear,
    dstyles: &mut [Vec<f32>],
) {
    let image = dx.height * dx.width * dx.channels;
    for ((dx_image, unit), dstyle) in dx.data.chunks_exact(image).zip(&styles.units).zip(dstyles) {
        for (row, sum) in sums(dx_image, dx.channels).into_iter().map(|sum| sum as f32).enumerate() {
            grad.bias[row] += sum;
            let span = row * unit.len()..(row + 1) * unit.len();
            grad.weight[span.clone()].iter_mut().zip(unit).for_each(|(g, s)| *g += sum * s);
            dstyle.iter_mut().zip(&linear.weight[span]).for_each(|(d, w)| *d += sum * w);
        }
    }
}

/// The sum over the pixels of an image, for each channel.
fn sums(image: &[f32], channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0f64; channels];
    for pixel in image.chunks_exact(channels) {
        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    sums
}
