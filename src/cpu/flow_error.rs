//! The flow check: masks whose flows differ from the network's flows are dropped (`dynamics.remove_bad_flow_masks`).

use rayon::prelude::*;

use super::components::{Bounds, bounds};
use crate::memory::zeros;
use crate::watch::GoOn;

/// A label image, `[height, width]`.
struct Masks<'a> {
    labels: &'a [u32],
    width: usize,
}

/// The flow of one pixel of a mask.
struct PixelFlow {
    pixel: usize,
    flow: [f64; 2],
}

/// The flows of masks, `[2, height, width]` (y, x): unit vectors, zero outside masks. Heat spreads from the centre of
/// each mask within the mask, and the flow is the direction of the heat's gradient (`masks_to_flows` on the CPU).
pub fn masks_to_flows(labels: &[u32], width: usize) -> Vec<f32> {
    let masks = Masks { labels, width };
    let boxes = bounds(labels, width);
    let flow = |(i, bounds): (usize, &Option<Bounds>)| {
        let bounds = bounds.as_ref()?;
        Some(masks.flow(&masks.cells(i as u32 + 1, bounds), bounds).collect())
    };
    let flows: Vec<Vec<PixelFlow>> = boxes.par_iter().enumerate().filter_map(flow).collect();
    let mut out = zeros(2 * labels.len());
    for PixelFlow { pixel, flow: [y, x] } in flows.into_iter().flatten() {
        out[pixel] = y as f32;
        out[labels.len() + pixel] = x as f32;
    }
    out
}

/// The error of each label from 1 to the largest; `NaN` for a number that no pixel has. It is the mean over the mask's
/// pixels of the squared difference between the mask's flow and a fifth of the network's, summed over both axes.
/// `flows` are the network's, `[2, height, width]`.
pub fn flow_errors(labels: &[u32], width: usize, flows: &[f32]) -> Vec<f64> {
    errors_while(labels, width, flows, &|| true)
}

/// Like [`flow_errors`], and gives the rest of the labels `NaN` when `go_on` is false.
fn errors_while(labels: &[u32], width: usize, flows: &[f32], go_on: GoOn) -> Vec<f64> {
    let masks = Masks { labels, width };
    let boxes = bounds(labels, width);
    let error = |(i, bounds): (usize, &Option<Bounds>)| match bounds {
        Some(bounds) if go_on() => masks.error(i as u32 + 1, bounds, flows),
        _ => f64::NAN,
    };
    boxes.par_iter().enumerate().map(error).collect()
}

/// Drops the labels whose error exceeds the threshold. The others keep their numbers.
pub fn drop_bad_flows(labels: &mut [u32], width: usize, flows: &[f32], threshold: f64) {
    drop_bad_flows_while(labels, width, flows, threshold, &|| true);
}

/// Like [`drop_bad_flows`], and does not check the rest of the labels when `go_on` is false.
pub(crate) fn drop_bad_flows_while(
    labels: &mut [u32],
    width: usize,
    flows: &[f32],
    threshold: f64,
    go_on: GoOn,
) {
    let errors = errors_while(labels, width, flows, go_on);
    labels
        .iter_mut()
        .filter(|label| **label != 0 && errors[**label as usize - 1] > threshold)
        .for_each(|label| *label = 0);
}

impl Masks<'_> {
    fn error(&self, label: u32, bounds: &Bounds, flows: &[f32]) -> f64 {
        let cells = self.cells(label, bounds);
        let (ys, xs) = flows.split_at(self.labels.len());
        // Each column is summed by itself, and the columns from left to right: the CUDA kernel keeps this order.
        let mut columns = vec![0.0; bounds.columns.len()];
        for PixelFlow { pixel, flow: [y, x] } in self.flow(&cells, bounds) {
            let (y, x) = (f64::from(y as f32 - ys[pixel] / 5.0), f64::from(x as f32 - xs[pixel] / 5.0));
            columns[pixel % self.width - bounds.columns.start] += y * y + x * x;
        }
        columns.iter().sum::<f64>() / cells.len() as f64
    }

    /// The flow of the mask with these pixels: unit vectors along the gradient of its heat.
    fn flow<'a>(&'a self, cells: &'a [usize], bounds: &'a Bounds) -> impl Iterator<Item = PixelFlow> + 'a {
        let width = bounds.columns.len() + 2;
        let heat = diffuse(cells, (bounds.rows.len() + 2, width));
        let direction = move |&cell: &usize| {
            let [y, x] = [heat[cell + width] - heat[cell - width], heat[cell + 1] - heat[cell - 1]];
            // The original's guard against a zero gradient.
            let length = (y * y + x * x).sqrt() + 1e-60;
            let (row, column) =
                (bounds.rows.start + cell / width - 1, bounds.columns.start + cell % width - 1);
            PixelFlow { pixel: row * self.width + column, flow: [y / length, x / length] }
        };
        cells.iter().map(direction)
    }

    /// The mask's pixels, as indices in its box with a margin of one pixel.
    fn cells(&self, label: u32, bounds: &Bounds) -> Vec<usize> {
        let width = bounds.columns.len() + 2;
        let mut cells = Vec::new();
        for (y, row) in (1..).zip(bounds.rows.clone()) {
            let row = &self.labels[row * self.width..][bounds.columns.clone()];
            let mine = (1..).zip(row).filter(|(_, l)| **l == label);
            cells.extend(mine.map(|(x, _)| y * width + x));
        }
        cells
    }
}

/// The heat after `2 (height + width)` steps. A step adds 1 at the centre, then sets each pixel of the mask to the mean
/// of the 3×3 pixels around it. Outside the mask the heat stays 0.
fn diffuse(cells: &[usize], (height, width): (usize, usize)) -> Vec<f64> {
    let centre = centre(cells, width);
    let (mut heat, mut next): (Vec<f64>, Vec<f64>) = (zeros(height * width), zeros(height * width));
    for _ in 0..2 * (height + width) {
        heat[centre] += 1.0;
        for &cell in cells {
            let row = |i: usize| heat[i - 1] + heat[i] + heat[i + 1];
            next[cell] = (row(cell - width) + row(cell) + row(cell + width)) / 9.0;
        }
        std::mem::swap(&mut heat, &mut next);
    }
    heat
}

/// The pixel of the mask that is nearest to the mean position; where distances tie, the first in row-major order.
fn centre(cells: &[usize], width: usize) -> usize {
    let mean = |part: fn(usize, usize) -> usize| {
        cells.iter().map(|&cell| part(cell, width) as f64).sum::<f64>() / cells.len() as f64
    };
    let (y, x) = (mean(|cell, width| cell / width), mean(|cell, width| cell % width));
    let distance = |cell: usize| ((cell / width) as f64 - y).powi(2) + ((cell % width) as f64 - x).powi(2);
    cells.iter().copied().min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}
