//! Flows as colours.

use ndarray::{Array4, ArrayView1, ArrayView3, Axis};
use rayon::prelude::*;

use crate::cpu::normalize::percentile;

/// The flows of planes as red, green and blue, `[planes, height, width, 3]`: the hue is the direction, the brightness the
/// length. The flows of each plane are `[2, height, width]` along y and x, or `[3, height, width]` along z, y and x.
///
/// It is the original's `plot.dx_to_circ`: the 1st percentile of the lengths over all planes is black, the 99th bright. As
/// there, the hue in a volume tells the direction in z and y.
///
/// ```
/// let flows = ndarray::Array3::from_shape_fn((2, 8, 8), |(axis, y, x)| [y, x][axis] as f32 - 3.5);
/// assert_eq!(flowmask::output::flow_colors(&[flows.view()]).dim(), (1, 8, 8, 3));
/// ```
pub fn flow_colors(flows: &[ArrayView3<f32>]) -> Array4<u8> {
    let (axes, height, width) = flows.first().map_or((0, 0, 0), |plane| plane.dim());
    let mut colors = Array4::zeros((flows.len(), height, width, 3));
    if axes < 2 || colors.is_empty() {
        return colors;
    }
    let [low, high] = range(flows.iter().flat_map(|plane| plane.lanes(Axis(0)).into_iter().map(length)));
    // As in the original, lengths that hardly differ are all black.
    let gain = if high - low > 1e-3 { 1.0 / (high - low) } else { 0.0 };
    let rows = colors.as_slice_mut().unwrap_or_default().par_chunks_mut(3 * width).enumerate();
    rows.for_each(|(row, colors)| {
        let flows = flows[row / height].index_axis(Axis(1), row % height);
        for (pixel, flow) in colors.chunks_mut(3).zip(flows.axis_iter(Axis(1))) {
            let brightness = 127.5 * f64::from((length(flow) - low) * gain).clamp(0.0, 1.0);
            pixel.iter_mut().zip(hue(flow)).for_each(|(c, hue)| *c = (brightness * (hue + 1.0)) as u8);
        }
    });
    colors
}

fn length(flow: ArrayView1<f32>) -> f32 {
    flow.iter().map(|v| v * v).sum::<f32>().sqrt()
}

/// The cosine of the direction plus half a turn, and of the angles a third and two thirds of a turn further.
fn hue(flow: ArrayView1<f32>) -> [f64; 3] {
    let (a, b) = (f64::from(flow[0]), f64::from(flow[1]));
    let length = a.hypot(b);
    let (cos, sin) = if length > 0.0 { (-a / length, -b / length) } else { (-1.0, 0.0) };
    let third = 0.75_f64.sqrt();
    [cos, -0.5 * cos - third * sin, -0.5 * cos + third * sin]
}

/// The 1st and the 99th percentile; 0 of no values.
pub(super) fn range(values: impl Iterator<Item = f32>) -> [f32; 2] {
    let mut values: Vec<f32> = values.collect();
    match values.is_empty() {
        true => [0.0; 2],
        false => [1.0, 99.0].map(|percent| percentile(&mut values, percent)),
    }
}
