//! Flow errors: how well the flows that follow from masks agree with the network's.

use ndarray::{ArrayView2, ArrayView3};

use super::overlaps::dense;
use crate::cpu::flow_error::flow_errors;
use crate::{Error, Result};

/// The flow error of each cell as `(label, error)`, in the order of the labels. `masks` is `[height, width]` with 0 for
/// background; `flows` is `[2, height, width]`, the network's output along y and x.
///
/// The shape of a mask determines a flow, a unit vector, at each of its pixels. The error is the squared difference
/// between this flow and the network's divided by 5, summed over both axes and averaged over the cell's pixels. 0 is
/// perfect. A segmentation drops cells with an error above `flow_threshold`, by default 0.4.
///
/// # Errors
/// [`Error::Image`] when the two arrays do not have these shapes, or a flow is not finite.
pub fn flow_error(masks: ArrayView2<u32>, flows: ArrayView3<f32>) -> Result<Vec<(u32, f64)>> {
    let (height, width) = masks.dim();
    if flows.dim() != (2, height, width) {
        let found = flows.shape();
        return Err(Error::Image(format!(
            "the flows of masks [{height}, {width}] must be [2, {height}, {width}], not {found:?}"
        )));
    }
    if flows.iter().any(|flow| !flow.is_finite()) {
        return Err(Error::Image("the flows have values that are not finite".into()));
    }
    let (labels, names) = dense(masks);
    let flows: Vec<f32> = flows.iter().copied().collect();
    Ok(names.into_iter().zip(flow_errors(&labels, width, &flows)).collect())
}
