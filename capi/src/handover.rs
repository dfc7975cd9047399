//! Pixels and labels in the memory of a GPU.

use std::ffi::c_void;

use crate::fault::Fault;
use crate::flowmask_status;
use crate::image::{View, flowmask_image};
use crate::many::Outputs;
use crate::options::{self, flowmask_options};
use crate::result::{Found, flowmask_result};
use crate::session::{flowmask_session, in_session};
use crate::sized::{self, sized};
use flowmask::cuda::DeviceImage;

/// Where the labels of an image go in the memory of a GPU: uint32_t [height, width].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_device_labels {
    /// sizeof(flowmask_device_labels).
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// A device pointer to the first label.
    pub data: *mut u32,
    /// Bytes from a row to the next; 0 stands for rows without gaps.
    pub stride_y: i64,
}

sized!(
    flowmask_device_labels, "device_labels", first: 24,
    fields: [size: u32, reserved: u32, data: *mut u32, stride_y: i64],
    flowmask_device_labels { size: 24, reserved: 0, data: std::ptr::null_mut(), stride_y: 0 }
);

/// Finds the cells of `count` images whose pixels are on a GPU, without a way through the host. data of the images are
/// device pointers; they and the strides are multiples of the number's size.
///
/// `device` is the 1 of "cuda:1", on which the model must have been loaded. `stream` is a CUstream or cudaStream_t of
/// its primary context, or NULL for the default stream: pixels are read after the work that is in it, and what is put
/// into it after the call comes after the labels.
///
/// `labels` are pointers to where the labels go, one for each image: where it is NULL, or one of them is, they come to
/// the result. A result whose labels are on the device has all the rest. Without flows in the options nothing but the
/// style vector and the number of cells comes to the host.
///
/// For `results`, `statuses` and errors see flowmask_segment_many. progress is called after each batch of tiles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_segment_on_device(
    session: *mut flowmask_session,
    device: u32,
    stream: *mut c_void,
    images: *const *const flowmask_image,
    labels: *const *const flowmask_device_labels,
    count: u64,
    options: *const flowmask_options,
    results: *mut *mut flowmask_result,
    statuses: *mut flowmask_status,
) -> flowmask_status {
    // SAFETY: what the caller gave is as the header says.
    in_session(session, |session| unsafe {
        let outputs = Outputs::new(count, images, results, statuses)?;
        if !labels.is_null() {
            crate::image::check_pointer("labels", labels)?;
        }
        let (options, mut progress) = options::read(options)?;
        let target = |i| if labels.is_null() { std::ptr::null() } else { labels.add(i).read() };
        let given: Vec<_> =
            (0..outputs.count).map(|i| image(images.add(i).read(), target(i), stream as usize)).collect();
        let good: Vec<DeviceImage> = given.iter().filter_map(|image| image.as_ref().ok().copied()).collect();
        let segmenter = &session.model.segmenter;
        let mut progress = |done| progress.at(done);
        let mut found =
            segmenter.segment_on_device(device as usize, &good, &options, &mut progress)?.into_iter();
        let found = given.into_iter().map(|image| {
            let size = image?.size();
            let found = found.next().expect("a result for each image");
            Ok(Found::on_device(found?, size))
        });
        outputs.write(session, found.collect())
    })
}

unsafe fn image(
    image: *const flowmask_image,
    labels: *const flowmask_device_labels,
    stream: usize,
) -> Result<DeviceImage, Fault> {
    // SAFETY: of the caller; the device pointers are only looked at.
    unsafe {
        let view = View::new(image)?;
        let labels = if labels.is_null() { None } else { Some(target(labels, view.shape[1])?) };
        let (pixels, shape, strides) = (view.data as u64, view.shape, view.strides);
        Ok(DeviceImage { pixels, kind: view.kind, shape, strides, labels, stream })
    }
}

unsafe fn target(labels: *const flowmask_device_labels, width: usize) -> Result<(u64, isize), Fault> {
    // SAFETY: of the caller.
    let given = unsafe { sized::read(labels) }?;
    let wrong = |reason| Err(Fault::argument("device_labels", reason));
    if given.reserved != 0 {
        return wrong("its field reserved is not 0");
    }
    if given.data.is_null() {
        return wrong("its data is NULL");
    }
    match isize::try_from(given.stride_y) {
        Ok(0) => Ok((given.data as u64, 4 * width as isize)),
        Ok(stride) => Ok((given.data as u64, stride)),
        Err(_) => wrong("its stride is larger than memory"),
    }
}
