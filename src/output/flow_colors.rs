//! Flows as colours.

use ndarray::{Array4, ArrayView1, ArrayView3, Axis};
use rayon::prelude::*;

use super::range::Brightness;

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
    let shown = Colors::of(flows);
    let rows = colors.as_slice_mut().unwrap_or_default().par_chunks_mut(3 * width).enumerate();
    rows.for_each(|(row, colors)| {
        let flows = flows[row / height].index_axis(Axis(1), row % height);
        for (pixel, flow) in colors.chunks_mut(3).zip(flows.axis_iter(Axis(1))) {
            pixel.copy_from_slice(&shown.color(flow));
        }
    });
    colors
}

/// The colours of flows, by their lengths beside those of all others.
pub(super) struct Colors(Brightness);

impl Colors {
    /// Those of the flows of all planes.
    pub fn of(flows: &[ArrayView3<f32>]) -> Self {
        let height = flows.first().map_or(0, |plane| plane.dim().1);
        let lengths = |row: usize| {
            let flows = flows[row / height].index_axis_move(Axis(1), row % height);
            (0..flows.dim().1).map(move |x| length(flows.index_axis(Axis(1), x)))
        };
        Colors(Brightness::of(flows.len() * height, lengths))
    }

    /// Red, green and blue of a flow.
    pub fn color(&self, flow: ArrayView1<f32>) -> [u8; 3] {
        let brightness = 127.5 * f64::from(self.0.at(length(flow)));
        hue(flow).map(|hue| (brightness * (hue + 1.0)) as u8)
    }
}

fn length(flow: ArrayView1<f32>) -> f32 {
    flow.iter().map(|v| v * v).sum::<f32>().sqrt()
}

/// The cosine of the direction plus half a turn, and of the angles a third and two thirds of a turn further.
fn hue(flow: ArrayView1<f32>) -> [f64; 3] {
    let (a, b) = (f64::from(flow[0]), f64::from(flow[1]));
    // Squares of single precision stay within the range of double precision.
    let length = (a * a + b * b).sqrt();
    let (cos, sin) = if length > 0.0 { (-a / length, -b / length) } else { (-1.0, 0.0) };
    let third = 0.75_f64.sqrt();
    [cos, -0.5 * cos - third * sin, -0.5 * cos + third * sin]
}
