//! Pixels and labels in the GPU's memory, through the C interface and the Rust one.

use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

use flowmask::cuda::{DeviceImage, Gpu};
use flowmask::ffi::{flowmask_status::*, *};
use flowmask::{Device, Diameter, Error, Image, Model, Options, PixelType, Segmentation, Segmenter};
use ndarray::{Array2, Array3, s};

use crate::device::gpu;
use crate::follow::common::data;

/// Discs on a noisy ground, in two channels.
fn discs(height: usize, width: usize, side: usize) -> Array3<u16> {
    Array3::from_shape_fn((height, width, 2), |(y, x, c)| {
        let middle = side as f32 / 2.0 - 0.5;
        let (dy, dx) = ((y % side) as f32 - middle, (x % side) as f32 - middle);
        let noise = ((y * 7919 + x * 104_729 + c * 31) % 13) as u16;
        if dy * dy + dx * dx < middle * middle * 0.6 { 180 + noise * 50 } else { 10 + noise }
    })
}

fn tiny() -> Model {
    Model::open(data("models/tiny.pth")).unwrap()
}

/// With random weights there are masks only where nothing is dropped.
fn options() -> Options {
    Options {
        diameter: Diameter::Pixels(24.0),
        channels: [2, 1],
        bsize: 32,
        cellprob_threshold: -1e30,
        flow_threshold: 0.0,
        min_size: 1,
        ..Options::default()
    }
}

/// Memory of the device with this in it.
struct Memory {
    gpu: Gpu,
    slice: cudarc::driver::CudaSlice<u8>,
}

impl Memory {
    fn of<T: bytemuck::Pod>(gpu: &Gpu, values: &[T]) -> Self {
        let slice = gpu.stream().clone_htod(bytemuck::cast_slice::<T, u8>(values)).unwrap();
        gpu.synchronize().unwrap();
        Memory { gpu: gpu.clone(), slice }
    }

    fn address(&self) -> u64 {
        use cudarc::driver::DevicePtr;
        self.slice.device_ptr(self.gpu.stream()).0
    }

    fn read<T: bytemuck::Pod>(&self) -> Vec<T> {
        self.gpu.synchronize().unwrap();
        let bytes = self.gpu.stream().clone_dtoh(&self.slice).unwrap();
        bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }
}

fn image_of(memory: &Memory, kind: PixelType, shape: [usize; 3], bytes: isize) -> DeviceImage {
    let [_, width, channels] = shape.map(|side| side as isize);
    let strides = [width * channels * bytes, channels * bytes, bytes];
    let stream = memory.gpu.stream().cu_stream() as usize;
    DeviceImage { pixels: memory.address(), kind, shape, strides, labels: None, stream }
}

fn segmenter() -> Segmenter {
    Segmenter::builder().model(tiny()).devices([Device::Cuda(0)]).build().unwrap()
}

/// The images alone, through the host.
fn expected(segmenter: &Segmenter, pixels: &[Array3<u16>]) -> Vec<Segmentation> {
    let one = |pixels: &Array3<u16>| {
        segmenter.segment(&Image::from_channels(pixels.view()).unwrap(), &options()).unwrap()
    };
    pixels.iter().map(one).collect()
}

#[test]
fn images_of_all_types_and_strides_get_the_masks_of_the_host() {
    let Some(gpu) = gpu() else { return };
    let segmenter = segmenter();
    let pixels = [discs(31, 35, 12), discs(1, 1, 9), discs(20, 67, 11)];
    let want = expected(&segmenter, &pixels);
    assert!(want[0].cells() > 2, "{} cells", want[0].cells());

    // 16 bits as they are; single precision in planes, upside down; the labels to wide rows and to the host.
    let first = Memory::of(&gpu, pixels[0].as_slice().unwrap());
    let second = Memory::of(&gpu, pixels[1].as_slice().unwrap());
    let planes = pixels[2].slice(s![..;-1, .., ..]).permuted_axes([2, 0, 1]).mapv(f32::from);
    let third = Memory::of(&gpu, planes.as_standard_layout().as_slice().unwrap());
    let labels = [Memory::of(&gpu, &[7_u32; 31 * 40]), Memory::of(&gpu, &[7_u32; 1])];
    let mut images = [
        image_of(&first, PixelType::U16, [31, 35, 2], 2),
        image_of(&second, PixelType::U16, [1, 1, 2], 2),
        image_of(&third, PixelType::F32, [20, 67, 2], 4),
    ];
    images[0].labels = Some((labels[0].address(), 40 * 4));
    images[1].labels = Some((labels[1].address(), 4));
    images[2].pixels += 19 * 67 * 4;
    images[2].strides = [-67 * 4, 4, 20 * 67 * 4];
    let mut seen = Vec::new();
    let mut progress = |done| {
        seen.push(done);
        true
    };
    // SAFETY: as the images say.
    let found = unsafe { segmenter.segment_on_device(0, &images, &options(), &mut progress) }.unwrap();
    for (i, found) in found.into_iter().enumerate() {
        let found = found.unwrap_or_else(|e| panic!("{i}: {e}"));
        assert_eq!(found.cells, want[i].cells(), "{i}");
        let masks = match i {
            0 => Array2::from_shape_vec((31, 40), labels[0].read::<u32>()).unwrap(),
            1 => Array2::from_shape_vec((1, 1), labels[1].read::<u32>()).unwrap(),
            _ => found.segmentation.masks.clone(),
        };
        let width = want[i].masks.dim().1;
        assert_eq!(masks.slice(s![.., ..width]), want[i].masks, "{i}");
        assert!(masks.slice(s![.., width..]).iter().all(|&label| label == 7), "{i}: wrote between the rows");
        assert_eq!(found.segmentation.masks.is_empty(), i < 2);
        let rest = Segmentation { masks: want[i].masks.clone(), ..found.segmentation };
        assert!(rest == want[i], "{i}: flows, style or diameter differ");
    }
    assert!(
        seen.is_sorted() && seen.len() > 2 && seen.iter().all(|done| (0.0..=1.0).contains(done)),
        "{seen:?}"
    );
    // 8 bits.
    let bytes = discs(17, 30, 9).mapv(|v| v.min(255) as u8);
    let memory = Memory::of(&gpu, bytes.as_slice().unwrap());
    let image = image_of(&memory, PixelType::U8, [17, 30, 2], 1);
    // SAFETY: as above.
    let found = unsafe { segmenter.segment_on_device(0, &[image], &options(), &mut |_| true) }.unwrap();
    let want = segmenter.segment(&Image::from_channels(bytes.view()).unwrap(), &options()).unwrap();
    assert!(found.into_iter().next().unwrap().unwrap().segmentation == want);
}

#[test]
fn work_that_is_stopped_leaves_the_rest_cancelled() {
    let Some(gpu) = gpu() else { return };
    let segmenter = segmenter();
    let memory = Memory::of(&gpu, discs(31, 35, 12).as_slice().unwrap());
    let image = image_of(&memory, PixelType::U16, [31, 35, 2], 2);
    let options = Options { batch_size: Some(1), ..options() };
    for stop_at in [1, 3] {
        let mut calls = 0;
        let mut stop = |_| {
            calls += 1;
            calls < stop_at
        };
        // SAFETY: as the image says.
        let found = unsafe { segmenter.segment_on_device(0, &[image; 4], &options, &mut stop) }.unwrap();
        assert_eq!(calls, stop_at);
        assert!(matches!(found.last(), Some(Err(Error::Cancelled))), "{stop_at}");
    }
}

#[test]
fn what_the_device_cannot_read_is_refused() {
    let Some(gpu) = gpu() else { return };
    let segmenter = segmenter();
    let mut values = vec![1.0_f32; 6 * 7 * 2];
    values[(3 * 7 + 4) * 2 + 1] = f32::INFINITY;
    values[(5 * 7 + 1) * 2] = f32::NAN;
    let memory = Memory::of(&gpu, &values);
    let good = image_of(&memory, PixelType::F32, [6, 7, 2], 4);
    let host = [0_u32; 64];
    let cases = [
        (good, "image: the pixel at row 3, column 4, channel 2 is inf"),
        (DeviceImage { shape: [0, 7, 2], ..good }, "no pixels"),
        (DeviceImage { shape: [1 << 20, 1 << 20, 1], ..good }, "too large"),
        (DeviceImage { pixels: good.pixels + 2, ..good }, "no multiple of it"),
        (DeviceImage { strides: [57, 8, 4], ..good }, "no multiple of it"),
        (DeviceImage { pixels: host.as_ptr() as u64, ..good }, "not in the device's memory"),
        (DeviceImage { strides: [1 << 40, 8, 4], ..good }, "not in the device's memory"),
        (DeviceImage { strides: [-56, 8, 4], ..good }, "not in the device's memory"),
        (DeviceImage { labels: Some((host.as_ptr() as u64, 28)), ..good }, "the labels reach to"),
        (
            DeviceImage { labels: Some((good.pixels, 24)), ..good },
            "rows of 7 labels cannot be 24 bytes apart",
        ),
        (DeviceImage { labels: Some((good.pixels + 1, 28)), ..good }, "the labels are 4 bytes each"),
    ];
    for (image, reason) in cases {
        // SAFETY: what cannot be read is not.
        let found = unsafe { segmenter.segment_on_device(0, &[image], &options(), &mut |_| true) }.unwrap();
        let message = found.into_iter().next().unwrap().unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
    // SAFETY: nothing is read.
    let other = unsafe { segmenter.segment_on_device(1, &[good], &options(), &mut |_| true) };
    assert_eq!(other.unwrap_err().to_string(), "cuda:1: the model was not loaded onto it");
}

fn last(session: *const flowmask_session) -> String {
    // SAFETY: the message is there until the next call.
    unsafe { CStr::from_ptr(flowmask_last_error(session)) }.to_string_lossy().into_owned()
}

fn good(status: flowmask_status) {
    assert_eq!(status, FLOWMASK_OK, "{}", last(null()));
}

#[test]
fn device_pointers_through_the_c_interface() {
    let Some(gpu) = gpu() else { return };
    let pixels = discs(31, 35, 12);
    let want = expected(&segmenter(), std::slice::from_ref(&pixels)).remove(0);
    let (memory, labels) =
        (Memory::of(&gpu, pixels.as_slice().unwrap()), Memory::of(&gpu, &[7_u32; 31 * 35]));
    let path = format!("{}\0", data("models/tiny.pth").display());
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
    // SAFETY: the calls get what the header asks for, or what they refuse.
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
        // To the host.
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
        // Many from the host, on both lanes.
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
        // A model on the processor has no place for device pointers.
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

/// The caller's work before and after is in its stream, and nobody waits for it.
#[test]
fn work_is_in_order_with_the_callers_stream() {
    let Some(gpu) = gpu() else { return };
    let segmenter = segmenter();
    let pixels = discs(31, 35, 12);
    let want = expected(&segmenter, std::slice::from_ref(&pixels)).remove(0);
    let kept = Memory::of(&gpu, pixels.as_slice().unwrap());
    for order in 0..4 {
        #[cfg(feature = "cpu-emu")]
        flowmask::cuda::emulator::schedule(order, false, 7);
        let caller = gpu.fork().unwrap();
        let stream = caller.stream();
        let mut input = Memory::of(&caller, &vec![0_u16; pixels.len()]);
        let (labels, mut copy) =
            (Memory::of(&caller, &[7_u32; 31 * 35]), Memory::of(&caller, &[0_u32; 31 * 35]));
        let mut image = image_of(&input, PixelType::U16, [31, 35, 2], 2);
        image.labels = Some((labels.address(), 35 * 4));
        stream.memcpy_dtod(&kept.slice, &mut input.slice).unwrap();
        // SAFETY: as the image says.
        let found = unsafe { segmenter.segment_on_device(0, &[image], &options(), &mut |_| true) }.unwrap();
        assert_eq!(found[0].as_ref().unwrap().cells, want.cells(), "order {order}");
        stream.memset_zeros(&mut input.slice).unwrap();
        stream.memcpy_dtod(&labels.slice, &mut copy.slice).unwrap();
        assert_eq!(copy.read::<u32>(), want.masks.as_slice().unwrap(), "order {order}");
    }
}
