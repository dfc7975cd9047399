//! How well the flows of masks agree with those of the network.

use ndarray::{ArrayView2, ArrayView3};

use super::overlaps::dense;
use crate::cpu::flow_error::flow_errors;
use crate::{Error, Result};

/// The flow error of each cell, in the order of the labels, as `(label, error)`: the mean over the cell's pixels of
/// the squared difference between its own flow, a unit vector, and a fifth of the network's, summed over both axes.
/// 0 is perfect; the segmentation drops cells above `flow_threshold`, 0.4. `masks` is `[height, width]`, `flows` is
/// `[2, height, width]`, the network's output for y and x.
///
/// # Errors
/// [`Error::Image`] when the sizes are not these, or a flow is not finite.
pub fn flow_error(masks: ArrayView2<u32>, flows: ArrayView3<f32>) -> Result<Vec<(u32, f64)>> {
    let (height, width) = masks.dim();
    if flows.dim() != (2, height, width) {
        let found = flows.shape();
        return Err(Error::Image(format!("flows of masks [{height}, {width}] with the shape {found:?}")));
    }
    if flows.iter().any(|flow| !flow.is_finite()) {
        return Err(Error::Image("flows that are not finite".into()));
    }
    let (labels, names) = dense(masks);
    let flows: Vec<f32> = flows.iter().copied().collect();
    Ok(names.into_iter().zip(flow_errors(&labels, width, &flows)).collect())
}
