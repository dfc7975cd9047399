//! `flow_error`: heat in a padded box, the direction of its gradient, and the mean squared difference from the
//! network's flows.

use flowmask::cpu::flow_error::{drop_bad_flows, flow_errors, masks_to_flows};
use proptest::prelude::*;

use crate::check::{Labels, ULP, close, config, labels, noise, same};

/// The flows of the masks, `[2, height, width]`, and a bound of the error of each pixel.
fn reference(image: &Labels) -> (Vec<f64>, Vec<f64>) {
    let (n, width) = (image.data.len(), image.width);
    let (mut out, mut bound) = (vec![0.0; 2 * n], vec![0.0; n]);
    for label in numbers(image) {
        let pixels: Vec<(usize, usize)> =
            (0..n).filter(|&i| image.data[i] == label).map(|i| (i / width, i % width)).collect();
        let (top, bottom) = (pixels[0].0, pixels[pixels.len() - 1].0);
        let left = pixels.iter().map(|p| p.1).min().unwrap();
        let right = pixels.iter().map(|p| p.1).max().unwrap();
        // The pixels in the box of the label, which has a margin of one pixel.
        let inner: Vec<_> = pixels.iter().map(|&(y, x)| (y - top + 1, x - left + 1)).collect();
        let (height, columns) = (bottom - top + 3, right - left + 3);
        let centre = centre(&inner);
        let steps = 2 * (height + columns);
        let mut heat = vec![vec![0.0f64; columns]; height];
        for _ in 0..steps {
            heat[centre.0][centre.1] += 1.0;
            let mut next = vec![vec![0.0; columns]; height];
            for &(y, x) in &inner {
                let nine = (0..9).map(|i| heat[y + i / 3 - 1][x + i % 3 - 1]);
                next[y][x] = nine.sum::<f64>() / 9.0;
            }
            heat = next;
        }
        for (&(y, x), &(row, column)) in inner.iter().zip(&pixels) {
            let (dy, dx) = (heat[y + 1][x] - heat[y - 1][x], heat[y][x + 1] - heat[y][x - 1]);
            let norm = dy.hypot(dx);
            out[row * width + column] = dy / (1e-60 + norm);
            out[n + row * width + column] = dx / (1e-60 + norm);
            // A step has ten roundings, relative to the heat. Where the gradient vanishes, they decide its direction.
            let around = heat[y + 1][x].max(heat[y - 1][x]).max(heat[y][x + 1]).max(heat[y][x - 1]);
            let relative = 10.0 * steps as f64 * f64::EPSILON * around / (1e-60 + norm);
            bound[row * width + column] = (4.0 * relative).min(2.0) + 2.0 * ULP;
        }
    }
    (out, bound)
}

fn numbers(image: &Labels) -> Vec<u32> {
    let mut numbers = image.data.clone();
    numbers.sort();
    numbers.dedup();
    numbers.retain(|&label| label != 0);
    numbers
}

/// The pixel nearest to the mean; where distances tie, the first in row-major order.
fn centre(pixels: &[(usize, usize)]) -> (usize, usize) {
    let mean = |sum: usize| sum as f64 / pixels.len() as f64;
    let (my, mx) = (mean(pixels.iter().map(|p| p.0).sum()), mean(pixels.iter().map(|p| p.1).sum()));
    let distance = |p: &(usize, usize)| (p.1 as f64 - mx).powi(2) + (p.0 as f64 - my).powi(2);
    let mut best = pixels[0];
    for pixel in pixels {
        if distance(pixel) < distance(&best) {
            best = *pixel;
        }
    }
    best
}

/// The error of each label and its bound.
fn errors(image: &Labels, network: &[f32]) -> Vec<(u32, f64, f64)> {
    let (flows, bounds) = reference(image);
    let n = image.data.len();
    let error = |label: u32| {
        let (mut sum, mut bound, mut count) = (0.0, 0.0, 0.0);
        for i in (0..n).filter(|&i| image.data[i] == label) {
            for i in [i, i + n] {
                let d = flows[i] - f64::from(network[i]) / 5.0;
                // Dividing by 5 rounds too.
                let off = bounds[i % n] + ULP * f64::from(network[i] / 5.0).abs();
                sum += d * d;
                bound += 2.0 * d.abs() * off + off * off + 4.0 * ULP * d * d;
            }
            count += 1.0;
        }
        (label, sum / count, bound / count)
    };
    numbers(image).into_iter().map(error).collect()
}

proptest! {
    #![proptest_config(config(700))]

    #[test]
    fn flows(image in labels()) {
        let (want, bound) = reference(&image);
        let got = masks_to_flows(&image.data, image.width);
        close(&got, &want, |i| bound[i % bound.len()], image.width)?;
    }

    #[test]
    fn error_of_each_label(image in labels(), seed in any::<u64>(), threshold in 0.1..3.0f64) {
        let network: Vec<f32> = noise(seed, 2 * image.data.len()).into_iter().map(|v| 6.0 * v).collect();
        let want = errors(&image, &network);
        let got = flow_errors(&image.data, image.width, &network);
        prop_assert_eq!(got.len(), image.data.iter().max().map_or(0, |&max| max as usize));
        prop_assert_eq!(got.iter().filter(|e| !e.is_nan()).count(), want.len(), "labels with an error");
        for &(label, want, bound) in &want {
            let got = got[label as usize - 1];
            prop_assert!((got - want).abs() <= bound, "label {label}: {got} instead of {want}, bound {bound:e}");
        }
        // Where an error is too close to the threshold, rounding decides.
        prop_assume!(want.iter().all(|&(_, error, bound)| (error - threshold).abs() > bound));
        let bad: Vec<u32> = want.iter().filter(|w| w.1 > threshold).map(|w| w.0).collect();
        let kept: Vec<u32> = image.data.iter().map(|l| if bad.contains(l) { 0 } else { *l }).collect();
        let mut got = image.data.clone();
        drop_bad_flows(&mut got, image.width, &network, threshold);
        same(&got, &kept, image.width)?;
    }
}
