//! Volumes and stacks: planes along z whose cells have one label in all planes.

use ndarray::{ArrayView3, ArrayView4};

use crate::fault::Fault;
use crate::flowmask_status;
use crate::image::{View, check_pointer, flowmask_image};
use crate::many::Outputs;
use crate::model::set_null;
use crate::options::{self, flowmask_options};
use crate::result::{Found, RESULTS, flowmask_result};
use crate::save::array_shape;
use crate::session::{flowmask_session, in_session};
use flowmask::Image;

/// Finds the cells of a volume in three dimensions (cellpose's do_3D): the network sees the planes across z, y and x, and the
/// flows of all of them are followed together.
///
/// planes has a pointer to each of count planes along z, at least two, of one size and number of channels. A plane may lie
/// anywhere: that at index z of an array [depth, height, width, channels] has data + z * stride_z, and flowmask_file_image
/// lends the planes of a file. Each time point of a movie is a volume of its own.
///
/// Of the options, anisotropy, flow3d_smooth and flow3d_threshold are for volumes. flow_threshold has no effect, and of the
/// samplings only FLOWMASK_SAMPLING_NEAREST differs; min_size counts voxels. FLOWMASK_DIAMETER_AUTO gives
/// FLOWMASK_ERROR_OPTION. The result has depth, and no polygons. The caller frees it with flowmask_result_free; it is NULL
/// after an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_segment_volume(
    session: *mut flowmask_session,
    planes: *const *const flowmask_image,
    count: u64,
    options: *const flowmask_options,
    result: *mut *mut flowmask_result,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    in_session(session, |session| unsafe {
        set_null("result", result)?;
        let (options, mut progress) = options::read(options)?;
        let planes = images(planes, count)?;
        let mut progress = |done| progress.at(done);
        let segmenter = &session.model.segmenter;
        let found = segmenter.segment_volume_with_progress(&planes, &options, &mut progress)?;
        result.write(RESULTS.insert(Found::of_volume(found, &session.model)));
        Ok(())
    })
}

/// Finds the cells of a volume from the masks of its planes (cellpose's stitch_threshold): intensities are scaled over all
/// planes, each plane is segmented, and masks of neighbouring planes become one if their intersection over union is at least
/// threshold, from 0 to 1. min_size counts the pixels of a cell in all planes.
///
/// planes is as for flowmask_segment_volume. results has room for a handle for each plane, which the caller frees; all are
/// NULL after an error. A cell has one label in all results, and the field cells of each of them counts the cells of the whole
/// volume. flowmask_save_labels writes them to one file. progress gets the part of all planes that is done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_segment_stack(
    session: *mut flowmask_session,
    planes: *const *const flowmask_image,
    count: u64,
    threshold: f64,
    options: *const flowmask_options,
    results: *mut *mut flowmask_result,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    in_session(session, |session| unsafe {
        let outputs = Outputs::new(count, planes, results, std::ptr::null_mut())?;
        let (options, mut progress) = options::read(options)?;
        let planes = images(planes, count)?;
        let mut progress = |done| progress.at(done);
        let segmenter = &session.model.segmenter;
        let found = segmenter.segment_stack(planes, threshold, &options, &mut progress)?;
        let cells = found.iter().map(|plane| plane.cells() as u32).max().unwrap_or(0);
        let found = found.into_iter().map(|plane| Ok(Found::of_plane(plane, cells, &session.model)));
        outputs.write(session, found.collect())
    })
}

/// Finds the cells of a volume in flows and cellprob that come from elsewhere, as flowmask_masks_from_flows does for an image.
/// flows is float [3, depth, height, width]: along z, y and x. cellprob is float [depth, height, width]. Both are without
/// gaps, and there are at least two planes. flow3d_smooth and flow3d_threshold have an effect too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_masks_from_volume_flows(
    session: *mut flowmask_session,
    flows: *const f32,
    cellprob: *const f32,
    depth: u64,
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
        let [depth, height, width] = array_shape(depth, height, width)?;
        let (options, mut progress) = options::read(options)?;
        let flows = ArrayView4::from_shape_ptr((3, depth, height, width), flows);
        let cellprob = ArrayView3::from_shape_ptr((depth, height, width), cellprob);
        let mut progress = |done| progress.at(done);
        let segmenter = &session.model.segmenter;
        let found = segmenter.masks_from_flows_volume(flows, cellprob, &options, &mut progress)?;
        result.write(RESULTS.insert(Found::of_volume(found, &session.model)));
        Ok(())
    })
}

/// Copies the planes.
///
/// # Safety
/// `planes` is NULL or has `count` pointers, and the pixels of each image can be read.
unsafe fn images(planes: *const *const flowmask_image, count: u64) -> Result<Vec<Image>, Fault> {
    // More planes than this cannot be in memory.
    let count = usize::try_from(count).ok().filter(|&count| count < 1 << 40);
    let count = count.ok_or_else(|| Fault::argument("count", "is too large"))?;
    if count > 0 {
        check_pointer("planes", planes)?;
    }
    // SAFETY: the caller guarantees it.
    let image = |z: usize| unsafe { View::new(planes.add(z).read())?.image() };
    let of_plane = |z| {
        image(z).map_err(|fault: Fault| Fault::new(fault.status, format!("plane {z}: {}", fault.message)))
    };
    (0..count).map(of_plane).collect()
}
