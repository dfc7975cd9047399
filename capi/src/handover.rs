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
    /// Must be 0.
    pub reserved: u32,
    /// A device pointer to the first label.
    pub data: *mut u32,
    /// Bytes from one row to the next; 0 means rows without gaps.
    pub stride_y: i64,
}

sized!(
    flowmask_device_labels, "device_labels", first: 24,
    fields: [size: u32, reserved: u32, data: *mut u32, stride_y: i64],
    flowmask_device_labels { size: 24, reserved: 0, data: std::ptr::null_mut(), stride_y: 0 }
);

/// Finds the cells of count images whose pixels are in the memory of a GPU, without copying the pixels to the host. The
/// field data of each image is a device pointer. It and the strides must be multiples of the size of a number.
///
/// device is the index of the GPU, such as the 1 of "cuda:1"; the model must have been loaded onto it. stream is a
/// CUstream or cudaStream_t of the GPU's primary context, or NULL for the default stream. The pixels are read after all
/// work that is already in the stream. Work that is put into the stream after the call runs after the labels are written.
///
/// labels has a pointer for each image, which says where its labels go. When labels or such a pointer is NULL, the labels
/// are copied to the result. A result whose labels are on the device has everything else. With the option flows = 0, only
/// the style vector and the number of cells are copied to the host.
///
/// For results, statuses and errors see flowmask_segment_many. progress gets the part of all images that is done.
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
    // SAFETY: the caller's arguments are as the header demands.
    in_session(session, |session| unsafe {
        let outputs = Outputs::new(count, images, results, statuses)?;
        if !labels.is_null() {
            crate::image::check_pointer("labels", labels)?;
        }
        let (options, mut progress) = options::read(options)?;
        let target = |i| if labels.is_null() { std::ptr::null() } else { labels.add(i).read() };
        let inputs: Vec<_> =
            (0..outputs.count).map(|i| image(images.add(i).read(), target(i), stream as usize)).collect();
        let good: Vec<DeviceImage> = inputs.iter().filter_map(|image| image.as_ref().ok().copied()).collect();
        let segmenter = &session.model.segmenter;
        let mut progress = |done| progress.at(done);
        let mut found =
            segmenter.segment_on_device(device as usize, &good, &options, &mut progress)?.into_iter();
        let found = inputs.into_iter().map(|image| {
            let size = image?.size();
            let found = found.next().expect("a result for each image");
            Ok(Found::on_device(found?, size, &session.model))
        });
        outputs.write(session, found.collect())
    })
}

unsafe fn image(
    image: *const flowmask_image,
    labels: *const flowmask_device_labels,
    stream: usize,
) -> Result<DeviceImage, Fault> {
    // SAFETY: the caller guarantees the structs; the device pointers are not followed here.
    unsafe {
        let view = View::new(image)?;
        let labels = if labels.is_null() { None } else { Some(target(labels, view.shape[1])?) };
        let (pixels, shape, strides) = (view.data as u64, view.shape, view.strides);
        Ok(DeviceImage { pixels, kind: view.on_device()?, shape, strides, labels, stream })
    }
}

unsafe fn target(labels: *const flowmask_device_labels, width: usize) -> Result<(u64, isize), Fault> {
    // SAFETY: the caller guarantees it.
    let labels = unsafe { sized::read(labels) }?;
    let wrong = |reason| Err(Fault::argument("device_labels", reason));
    if labels.reserved != 0 {
        return wrong("its field reserved is not 0");
    }
    if labels.data.is_null() {
        return wrong("its data is NULL");
    }
    match isize::try_from(labels.stride_y) {
        Ok(0) => Ok((labels.data as u64, 4 * width as isize)),
        Ok(stride) => Ok((labels.data as u64, stride)),
        Err(_) => wrong("its field stride_y is too large"),
    }
}
