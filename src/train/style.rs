//! The style vector: the mean of the deepest map over its pixels, divided by its norm; and the linear maps of it.

use rayon::prelude::*;

use super::maps::Maps;
use super::number::Number;
use crate::model::params::Linear;

/// The styles of a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Styles<T> {
    /// `[image, channel]`, each of unit length.
    pub units: Vec<Vec<T>>,
    /// The lengths before the division.
    lengths: Vec<f64>,
}

/// The styles of the deepest maps. Zeros stay zeros, where the original divides by zero.
pub(super) fn forward<T: Number>(deepest: &Maps<T>) -> Styles<T> {
    let mut styles = Styles::default();
    let pixels = deepest.height * deepest.width;
    for image in deepest.data.chunks_exact(pixels * deepest.channels) {
        let mean: Vec<f64> = sums(image, deepest.channels).iter().map(|sum| sum / pixels as f64).collect();
        let length = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
        let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
        styles.units.push(mean.iter().map(|m| T::round(m * factor)).collect());
        styles.lengths.push(length);
    }
    styles
}

/// Adds to the gradient of the deepest maps, `dx`, what comes from the gradient of the styles:
/// `(d − unit (unit · d)) / length / pixels` at each pixel.
pub(super) fn backward<T: Number>(styles: &Styles<T>, dstyles: &[Vec<T>], dx: &mut Maps<T>) {
    let (pixels, channels) = (dx.height * dx.width, dx.channels);
    dx.data.par_chunks_exact_mut(pixels * channels).enumerate().for_each(|(image, dx)| {
        let (unit, d, length) = (&styles.units[image], &dstyles[image], styles.lengths[image]);
        if length > 0.0 {
            let pairs = || unit.iter().zip(d).map(|(u, d)| ((*u).into(), (*d).into()));
            let along: f64 = pairs().map(|(u, d): (f64, f64)| u * d).sum();
            let part = pairs().map(|(u, d)| T::round((d - u * along) / length / pixels as f64));
            let part: Vec<T> = part.collect();
            for pixel in dx.chunks_exact_mut(channels) {
                pixel.iter_mut().zip(&part).for_each(|(v, part)| *v += *part);
            }
        }
    });
}

/// Adds `linear(style)` to every pixel of each image.
pub(super) fn shift<T: Number>(linear: &Linear<T>, styles: &Styles<T>, x: &mut Maps<T>) {
    let image = x.height * x.width * x.channels;
    x.data.par_chunks_exact_mut(image).zip(&styles.units).for_each(|(x, unit)| {
        let rows = linear.weight.chunks_exact(unit.len()).zip(&linear.bias);
        let shift: Vec<T> =
            rows.map(|(row, bias)| row.iter().zip(unit).fold(*bias, |sum, (w, s)| sum + *w * *s)).collect();
        for pixel in x.chunks_exact_mut(shift.len()) {
            pixel.iter_mut().zip(&shift).for_each(|(v, shift)| *v += *shift);
        }
    });
}

/// Adds the gradients of [`shift`]: those of its parameters to `grad`, that of the styles to `dstyles`.
pub(super) fn shift_backward<T: Number>(
    linear: &Linear<T>,
    styles: &Styles<T>,
    dx: &Maps<T>,
    grad: &mut Linear<T>,
    dstyles: &mut [Vec<T>],
) {
    let image = dx.height * dx.width * dx.channels;
    let of_images: Vec<Vec<f64>> =
        dx.data.par_chunks_exact(image).map(|image| sums(image, dx.channels)).collect();
    for ((sums, unit), dstyle) in of_images.into_iter().zip(&styles.units).zip(dstyles) {
        for (row, sum) in sums.into_iter().map(T::round).enumerate() {
            grad.bias[row] += sum;
            let span = row * unit.len()..(row + 1) * unit.len();
            grad.weight[span.clone()].iter_mut().zip(unit).for_each(|(g, s)| *g += sum * *s);
            dstyle.iter_mut().zip(&linear.weight[span]).for_each(|(d, w)| *d += sum * *w);
        }
    }
}

/// The sum over the pixels of an image, for each channel.
fn sums<T: Number>(image: &[T], channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0f64; channels];
    for pixel in image.chunks_exact(channels) {
        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += (*v).into());
    }
    sums
}
