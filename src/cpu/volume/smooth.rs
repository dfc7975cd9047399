//! Smooths the flows of a volume (`scipy.ndimage.gaussian_filter`, mode `reflect`, four standard deviations).

use rayon::prelude::*;

use super::{Size, voxels};
use crate::memory::copied;
use crate::watch::GoOn;

/// The weights of a Gaussian from the middle to one side, which sum to 1 over both sides. None for a `sigma` of 0.
pub(crate) fn weights(sigma: f64) -> Vec<f64> {
    let reach = if sigma > 0.0 { (4.0 * sigma + 0.5) as usize } else { 0 };
    let raw: Vec<f64> = (0..=reach).map(|i| (-0.5 / (sigma * sigma) * (i * i) as f64).exp()).collect();
    let sum = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    if reach == 0 { Vec::new() } else { raw.iter().map(|weight| weight / sum).collect() }
}

/// The index that stands for `i`, which may lie outside of an axis of this length: the axis is mirrored at its borders,
/// with its first and last element twice.
fn mirrored(i: isize, length: usize) -> usize {
    let i = i.rem_euclid(2 * length as isize) as usize;
    if i < length { i } else { 2 * length - 1 - i }
}

/// Smooths each of several volumes, `[volume, depth, height, width]`, along z, y and x, with a standard deviation of
/// `sigma` voxels along each of them; 0 leaves an axis as it is. Sums are in double precision.
pub fn smooth(volumes: &mut [f32], size: Size, sigma: [f64; 3]) {
    smooth_while(volumes, size, sigma, &|| true);
}

/// Like [`smooth`], and stops early, with some of this done, when `go_on` is false.
pub(crate) fn smooth_while(volumes: &mut [f32], size: Size, sigma: [f64; 3], go_on: GoOn) {
    for volume in volumes.chunks_exact_mut(voxels(size)) {
        for (axis, &sigma) in sigma.iter().enumerate() {
            let weights = weights(sigma);
            if weights.is_empty() {
                continue;
            }
            let source = copied(volume);
            volume.par_chunks_exact_mut(size[2]).enumerate().for_each(|(row, out)| match axis {
                _ if !go_on() => (),
                2 => along_x(&source[row * size[2]..][..size[2]], &weights, out),
                _ => across_rows(&source, size, axis, &weights, row, out),
            });
        }
    }
}

fn along_x(source: &[f32], weights: &[f64], out: &mut [f32]) {
    let at = |i: isize| f64::from(source[mirrored(i, source.len())]);
    for (x, out) in out.iter_mut().enumerate() {
        let x = x as isize;
        // From far to near, as SciPy sums.
        let sides = (1..weights.len()).rev().map(|k| (at(x - k as isize) + at(x + k as isize)) * weights[k]);
        *out = sides.fold(at(x) * weights[0], |sum, term| sum + term) as f32;
    }
}

/// The smoothed row number `row`, along z (`axis` 0) or y (1).
fn across_rows(source: &[f32], size: Size, axis: usize, weights: &[f64], row: usize, out: &mut [f32]) {
    let [_, height, width] = size;
    let place = [row / height, row % height];
    let row = |offset: isize| {
        let mut place = place;
        place[axis] = mirrored(place[axis] as isize + offset, size[axis]);
        &source[(place[0] * height + place[1]) * width..][..width]
    };
    let mut sum: Vec<f64> = row(0).iter().map(|&v| f64::from(v) * weights[0]).collect();
    for k in (1..weights.len()).rev() {
        let sides = row(-(k as isize)).iter().zip(row(k as isize));
        for (sum, (&a, &b)) in sum.iter_mut().zip(sides) {
            *sum += (f64::from(a) + f64::from(b)) * weights[k];
        }
    }
    out.iter_mut().zip(sum).for_each(|(out, sum)| *out = sum as f32);
}
