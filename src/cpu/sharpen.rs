//! Smooths noise and sharpens blur with Gaussians (`transforms.smooth_sharpen_img`).

use rayon::prelude::*;

use crate::Compat;
use crate::memory::zeros;
use crate::watch::GoOn;

/// Weights below this part of the largest are left out, which changes a sum by less than single precision.
const LEAST: f64 = 1e-9;

/// Smooths each channel of `pixels`, `[height, width, nchan]`, by a Gaussian with a standard deviation of `smooth` pixels, and
/// subtracts from it the pixels smoothed by `sharpen` pixels. Without `smooth`, that is subtracted from the pixels themselves,
/// of which the weight of the Gaussian's middle is added again. 0 leaves a Gaussian out. Beyond an edge, the image goes on at
/// its other side.
///
/// As in the original, an axis of `n` pixels has positions from `-n/2` to `n/2 + 1`, so that a Gaussian's middle lies half a
/// pixel (of an even `n`, a pixel) before its pixel. With [`Compat::V3_1_1`], the positions along x are made of the height, so
/// that the Gaussian of an image that is not square is stretched.
pub fn sharpen(pixels: &[f32], size: [usize; 3], smooth: f64, sharpen: f64, compat: Compat) -> Vec<f32> {
    sharpen_while(pixels, size, [smooth, sharpen], compat, &|| true)
}

/// Like [`sharpen`], and stops early, with rows of zeros, when `go_on` is false.
pub(crate) fn sharpen_while(
    pixels: &[f32],
    [height, width, nchan]: [usize; 3],
    radii: [f64; 2],
    compat: Compat,
    go_on: GoOn,
) -> Vec<f32> {
    let [smooth, sharpen] = radii.map(|sigma| {
        (sigma > 0.0).then(|| {
            let extent = if compat == Compat::V3_1_1 { height } else { width };
            [Taps::new(height, height, sigma), Taps::new(width, extent, sigma)]
        })
    });
    let length = width * nchan;
    let mut out = zeros(pixels.len());
    let rows = out.par_chunks_exact_mut(length).enumerate().filter(|_| go_on());
    rows.for_each_init(Row::default, |scratch, (y, out)| {
        let own = &pixels[y * length..][..length];
        match &smooth {
            Some(gaussian) => scratch.smooth(pixels, y, length, nchan, gaussian),
            None => scratch
                .keep(own, sharpen.as_ref().map_or(0.0, |[down, across]| down.middle() * across.middle())),
        }
        let first: Vec<f64> = if sharpen.is_some() { scratch.sums.clone() } else { Vec::new() };
        if let Some(gaussian) = &sharpen {
            scratch.smooth(pixels, y, length, nchan, gaussian);
            scratch.sums.iter_mut().zip(first).for_each(|(sum, first)| *sum = first - *sum);
        }
        out.iter_mut().zip(&scratch.sums).for_each(|(out, sum)| *out = *sum as f32);
    });
    out
}

/// A Gaussian along one axis: the pixels that a sum takes, from `first` after its own pixel on, and their weights.
struct Taps {
    first: isize,
    weights: Vec<f64>,
}

impl Taps {
    /// Of an axis of `length` pixels with positions from `-extent/2` to `extent/2 + 1`.
    fn new(length: usize, extent: usize, sigma: f64) -> Self {
        let (extent, steps) = (extent as f64, (length.max(2) - 1) as f64);
        let square = |i: usize| (i as f64 * (extent + 1.0) / steps - extent / 2.0).powi(2);
        let least = (0..length).map(square).fold(f64::INFINITY, f64::min);
        let weight = |i: usize| match square(i) - least {
            // Of a small sigma, the square is 0.
            0.0 => 1.0,
            farther => (-0.5 / (sigma * sigma) * farther).exp(),
        };
        let kept: Vec<usize> = (0..length).filter(|&i| weight(i) >= LEAST).collect();
        let sum: f64 = kept.iter().copied().map(weight).sum();
        let weights = kept.iter().map(|&i| weight(i) / sum).collect();
        Taps { first: kept[0] as isize - (length / 2) as isize, weights }
    }

    /// The weight of the sum's own pixel.
    fn middle(&self) -> f64 {
        usize::try_from(-self.first).ok().and_then(|i| self.weights.get(i)).copied().unwrap_or(0.0)
    }

    /// The index of the first pixel of the sum at `i`, on an axis of this length.
    fn start(&self, i: usize, length: usize) -> usize {
        (i as isize + self.first).rem_euclid(length as isize) as usize
    }
}

/// A row, `[width, nchan]`, and the memory to compute it.
#[derive(Default)]
struct Row {
    /// The row smoothed along y only, with as many pixels of its other side as a sum reaches.
    down: Vec<f64>,
    sums: Vec<f64>,
}

impl Row {
    /// The pixels of a row, with `more` of them added.
    fn keep(&mut self, row: &[f32], more: f64) {
        self.sums.clear();
        self.sums.extend(row.iter().map(|&value| f64::from(value) * (1.0 + more)));
    }

    /// Row `y` of the smoothed pixels.
    fn smooth(&mut self, pixels: &[f32], y: usize, length: usize, nchan: usize, [down, across]: &[Taps; 2]) {
        let Row { down: row, sums } = self;
        let (height, width) = (pixels.len() / length, length / nchan);
        let first = down.start(y, height);
        sums.clear();
        sums.resize(length, 0.0);
        for (i, weight) in down.weights.iter().enumerate() {
            let source = &pixels[(first + i) % height * length..][..length];
            sums.iter_mut().zip(source).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        }
        let begin = across.start(0, width) * nchan;
        row.clear();
        let around = sums.iter().cycle().skip(begin);
        row.extend(around.take((width + across.weights.len() - 1) * nchan));
        sums.fill(0.0);
        for (i, weight) in across.weights.iter().enumerate() {
            let source = &row[i * nchan..][..length];
            sums.iter_mut().zip(source).for_each(|(sum, &value)| *sum += weight * value);
        }
    }
}
