//! Masks from the caller's own flows.

use ndarray::{ArrayView2, ArrayView3};

use crate::fault::Fault;
use crate::flowmask_status;
use crate::image::check_pointer;
use crate::model::set_null;
use crate::options::{self, flowmask_options};
use crate::result::{Found, RESULTS, flowmask_result};
use crate::session::{flowmask_session, in_session};

/// Finds the cells in flows and cellprob that come from elsewhere, such as a network of your own (cellpose's compute_masks).
/// flows is float [2, height, width]: along y, then along x, in cells about five times a unit vector. cellprob is float
/// [height, width]. Both are without gaps.
///
/// Of the options, niter, cellprob_threshold, flow_threshold, sampling, min_size, max_size_fraction, keep_parts,
/// exclude_on_edges, compat and progress have an effect. With niter = 0, 200 steps are taken. The result has the labels;
/// it has no flows and no style vector, and its diameter is 0. It is computed on the processor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_masks_from_flows(
    session: *mut flowmask_session,
    flows: *const f32,
    cellprob: *const f32,
    height: u64,
    width: u64,
    options: *const flowmask_options,
    result: *mut *mut flowmask_result,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    in_session(session, |session| unsafe {
        set_null("result", result)?;
        check_pointer("flows", flows)?;
        check_pointer("cellprob", cellprob)?;
        let (height, width) = size(height, width)?;
        let (options, mut progress) = options::read(options)?;
        let flows = ArrayView3::from_shape_ptr((2, height, width), flows);
        let cellprob = ArrayView2::from_shape_ptr((height, width), cellprob);
        let mut progress = |done| progress.at(done);
        let segmenter = &session.model.segmenter;
        let found = segmenter.masks_from_flows(flows, cellprob, &options, &mut progress)?;
        result.write(RESULTS.insert(Found::new(found, &session.model)));
        Ok(())
    })
}

/// The size, if it has from 1 to 2³¹ - 1 pixels.
fn size(height: u64, width: u64) -> Result<(usize, usize), Fault> {
    let pixels = height.checked_mul(width).filter(|pixels| (1..1 << 31).contains(pixels));
    match (pixels, usize::try_from(height), usize::try_from(width)) {
        (Some(_), Ok(height), Ok(width)) => Ok((height, width)),
        _ => Err(flowmask::Error::Image(format!(
            "flows of {height} by {width} pixels are too large, or empty"
        ))
        .into()),
    }
}
