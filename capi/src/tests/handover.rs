//! Pixels and labels in the GPU's memory, through the C interface.

use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

use super::device::gpu;
use super::scene::{Memory, discs, expected, segmenter, tiny_path};
use crate::{flowmask_status::*, *};

fn last(session: *const flowmask_session) -> String {
    // SAFETY: the message is valid until the next call.
    unsafe { CStr::from_ptr(flowmask_last_error(session)) }.to_string_lossy().into_owned()
}

fn good(status: flowmask_status) {
    assert_eq!(status, FLOWMASK_OK, "{}", last(null()));
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn device_pointers_through_the_c_interface() {
    let gpu = gpu();
    let pixels = discs(31, 35, 12);
    let want = expected(&segmenter(), std::slice::from_ref(&pixels)).remove(0);
    let (memory, labels) =
        (Memory::of(&gpu, pixels.as_slice().unwrap()), Memory::of(&gpu, &[7_u32; 31 * 35]));
    let path = format!("{}\0", tiny_path().display());
    let image = flowmask_image {
        size: 64,
        r#type: 2,
        data: memory.address() as *const c_void,
        height: 31,
        width: 35,
        channels: 2,
        stride_y: 0,
        stride_x: 0,
        stride_c: 0,
    };
    let host_image = flowmask_image { data: pixels.as_ptr().cast(), ..image };
    let target =
        flowmask_device_labels { size: 24, reserved: 0, data: labels.address() as *mut u32, stride_y: 0 };
    // SAFETY: the arguments are as the header demands, or such that the call refuses them.
    unsafe {
        let mut device: flowmask_device = std::mem::zeroed();
        device.size = 152;
        good(flowmask_device_describe(1, &mut device));
        assert_eq!(CStr::from_ptr(device.id.as_ptr()), c"cuda:0");
        assert!(device.memory > 1 << 30 && device.units > 0 && device.capability_major >= 8);
        let (mut model, mut session, mut result) = (null_mut(), null_mut(), null_mut());
        let mut load: flowmask_model_options = std::mem::zeroed();
        good(flowmask_model_options_default(&mut load, 40));
        load.device = c"cuda:0".as_ptr();
        good(flowmask_model_load(path.as_ptr().cast(), &load, &mut model));
        good(flowmask_session_new(model, &mut session));
        let mut options: flowmask_options = std::mem::zeroed();
        good(flowmask_options_default(&mut options, 136));
        (options.diameter, options.channel, options.channel_nuclei, options.bsize, options.flows) =
            (24.0, 2, 1, 32, 0);
        (options.cellprob_threshold, options.flow_threshold, options.min_size) = (-1e30, 0.0, 1);
        let stream = gpu.stream().cu_stream().cast::<c_void>();
        let mut run = |device, image: *const flowmask_image, target: *const flowmask_device_labels| {
            let (images, targets) = ([image], [target]);
            let targets = if target.is_null() { null() } else { targets.as_ptr() };
            flowmask_segment_on_device(
                session,
                device,
                stream,
                images.as_ptr(),
                targets,
                1,
                &options,
                &mut result,
                null_mut(),
            )
        };
        good(run(0, &image, &target));
        assert_eq!(labels.read::<u32>(), want.masks.as_slice().unwrap());
        assert_eq!(run(0, &host_image, &target), FLOWMASK_ERROR_DEVICE);
        assert!(last(session).contains("not in the device's memory"), "{}", last(session));
        assert_eq!(run(1, &image, &target), FLOWMASK_ERROR_DEVICE);
        assert_eq!(run(0, null(), &target), FLOWMASK_ERROR_ARGUMENT);
        for wrong in [
            flowmask_device_labels { size: 3, ..target },
            flowmask_device_labels { reserved: 1, ..target },
            flowmask_device_labels { data: null_mut(), ..target },
        ] {
            assert_eq!(run(0, &image, &wrong), FLOWMASK_ERROR_ARGUMENT, "{}", last(session));
            assert!(last(session).contains("device_labels"), "{}", last(session));
        }
        let mut info: flowmask_result_info = std::mem::zeroed();
        let mut lent = null();
        good(run(0, &image, &target));
        info.size = 56;
        good(flowmask_result_describe(result, &mut info));
        assert_eq!(
            (info.cells as usize, info.height, info.width, info.flows_height),
            (want.cells(), 31, 35, 0)
        );
        assert_eq!(flowmask_result_labels(result, &mut lent), FLOWMASK_ERROR_ARGUMENT);
        assert!(last(null()).contains("on the device"));
        good(flowmask_result_free(result));
        // Without a place for the labels, they are copied to the host.
        let images = [&raw const image];
        good(flowmask_segment_on_device(
            session,
            0,
            stream,
            images.as_ptr(),
            null(),
            1,
            &options,
            &mut result,
            null_mut(),
        ));
        good(flowmask_result_labels(result, &mut lent));
        assert_eq!(std::slice::from_raw_parts(lent, 31 * 35), want.masks.as_slice().unwrap());
        good(flowmask_result_free(result));
        // Many images in host memory, on both lanes of the GPU.
        let images = [&raw const host_image; 5];
        let mut results = [null_mut(); 5];
        good(flowmask_segment_many(session, images.as_ptr(), 5, &options, results.as_mut_ptr(), null_mut()));
        for result in results {
            good(flowmask_result_labels(result, &mut lent));
            assert_eq!(std::slice::from_raw_parts(lent, 31 * 35), want.masks.as_slice().unwrap());
            good(flowmask_result_free(result));
        }
        good(flowmask_session_free(session));
        good(flowmask_model_free(model));
        // A model on the processor refuses device pointers.
        load.device = null();
        good(flowmask_model_load(path.as_ptr().cast(), &load, &mut model));
        good(flowmask_session_new(model, &mut session));
        let images = [&raw const image];
        let status = flowmask_segment_on_device(
            session,
            0,
            stream,
            images.as_ptr(),
            null(),
            1,
            null(),
            &mut result,
            null_mut(),
        );
        assert_eq!(status, FLOWMASK_ERROR_DEVICE);
        assert!(result.is_null() && last(session).contains("not loaded onto it"), "{}", last(session));
        good(flowmask_session_free(session));
        good(flowmask_model_free(model));
    }
}
