//! Device memory is counted, limited and watched.

use cudarc::driver::{DevicePtr, result, sys};
use flowmask::cuda::Buffer;
use flowmask::{Device, Image, Model, Options, Precision, Segmenter};
use flowmask_emulator::memory;
use ndarray::Array2;

use super::open;
use super::{alone, config, context, run, word};
use crate::follow::common::data;

#[test]
fn memory_is_limited() {
    alone("memory::memory_is_limited", &[("FLOWMASK_EMULATOR_MEMORY", "1000000")], || {
        let gpu = open(0).unwrap();
        assert_eq!(gpu.context().mem_get_info().unwrap(), (1_000_000, 1_000_000));
        let half = Buffer::of(&gpu, &[0u8; 600_000]).unwrap();
        assert_eq!(gpu.context().mem_get_info().unwrap(), (400_000, 1_000_000));
        let error = Buffer::of(&gpu, &[0u8; 600_000]).unwrap_err().to_string();
        assert!(error.starts_with("cuda:0: ") && error.contains("600.0 kB"), "{error}");
        drop(half);
        assert!(Buffer::of(&gpu, &[0u8; 600_000]).is_ok());
    });
}

#[test]
fn allocations_are_counted() {
    alone("memory::allocations_are_counted", &[], || {
        let gpu = open(1).unwrap();
        let kept = Buffer::of(&gpu, &[0u32; 100]).unwrap();
        drop(Buffer::of(&gpu, &[0u32; 200]).unwrap());
        gpu.synchronize().unwrap();
        // SAFETY: it is not read.
        let pinned = unsafe { gpu.context().alloc_pinned::<u8>(10) }.unwrap();
        assert_eq!(memory(1), [1, 400, 1200, 1]);
        drop((kept, pinned));
        assert_eq!(memory(1), [0, 0, 1200, 0]);
        assert_eq!(memory(0), [0; 4]);
    });
}

#[test]
fn memory_that_was_freed_is_refused() {
    let said = alone("memory::memory_that_was_freed_is_refused", &[], || {
        let context = context(0);
        let stream = context.new_stream().unwrap();
        let mut out = word(&stream, 1);
        let pointer = out.device_ptr(&stream).0;
        // SAFETY: the slice is forgotten.
        unsafe { result::free_async(pointer, stream.cu_stream()) }.unwrap();
        let again = unsafe { result::free_async(pointer, stream.cu_stream()) }.unwrap_err();
        assert_eq!(again.0, sys::CUresult::CUDA_ERROR_INVALID_VALUE);
        assert!(again.to_string().contains("which was freed before"), "{again}");
        run!(&stream, "times_ten_plus", config(1, 1, 0); &mut out, &1u32).unwrap();
        let error = stream.synchronize().unwrap_err().to_string();
        assert!(
            error.contains("kernel times_ten_plus: argument 0 points to memory that was freed"),
            "{error}"
        );
        std::mem::forget(out);
    });
    assert!(said.is_none_or(|said| said.contains("emulator: CUDA_ERROR_ILLEGAL_ADDRESS")), "it is not said");
}

#[test]
fn memory_of_another_device_is_refused() {
    alone("memory::memory_of_another_device_is_refused", &[], || {
        let mut theirs = word(&context(1).new_stream().unwrap(), 1);
        theirs.context().synchronize().unwrap();
        let stream = context(0).new_stream().unwrap();
        run!(&stream, "times_ten_plus", config(1, 1, 0); &mut theirs, &1u32).unwrap();
        let error = stream.synchronize().unwrap_err().to_string();
        assert!(error.contains("argument 0 points to memory of another device"), "{error}");
    });
}

#[test]
fn copies_stay_within_allocations() {
    alone("memory::copies_stay_within_allocations", &[], || {
        let stream = context(0).new_stream().unwrap();
        let out = word(&stream, 1);
        let pointer = out.device_ptr(&stream).0;
        // SAFETY: the emulator is to refuse it.
        unsafe { result::memset_d8_async(pointer, 0, 5, stream.cu_stream()) }.unwrap();
        let error = stream.synchronize().unwrap_err().to_string();
        assert!(error.contains("5 bytes at") && error.contains("go beyond an allocation of 4"), "{error}");
    });
}

/// A late read: copies run when something waits for them.
const COHERENT: [(&str, &str); 2] = [("FLOWMASK_EMULATOR_COHERENT", "1"), ("FLOWMASK_EMULATOR_STREAMS", "0")];

#[test]
fn a_coherent_device_may_read_a_source_late() {
    alone("memory::a_coherent_device_may_read_a_source_late", &COHERENT, || {
        let stream = context(0).new_stream().unwrap();
        let mut source = [1u32; 9];
        let out = stream.clone_htod(&source).unwrap();
        source.fill(2);
        assert_eq!(stream.clone_dtoh(&out).unwrap(), [2; 9]);
    });
}

#[test]
fn uploads_of_the_library_wait_where_a_source_is_read_late() {
    alone("memory::uploads_of_the_library_wait_where_a_source_is_read_late", &COHERENT, || {
        let gpu = open(0).unwrap();
        let mut source = [1u32; 9];
        let out = Buffer::of(&gpu, &source).unwrap();
        source.fill(2);
        assert_eq!(out.download(&gpu).unwrap(), [1; 9]);
        // Weights, tables and pixels of whole images, whose sources are dropped at once.
        let value = |(y, x)| if y % 20 > 5 && x % 20 > 5 { 200 + (y * x % 9) as u8 } else { 10 };
        let image = Image::from_gray(Array2::from_shape_fn((90, 70), value).view()).unwrap();
        let run = |device| {
            let model = Model::open(data("models/tiny.pth")).unwrap();
            let builder = Segmenter::builder().model(model).devices([device]).precision(Precision::F32);
            builder.build().unwrap().segment(&image, &Options::default().bsize(64)).unwrap()
        };
        let (want, got) = (run(Device::Cpu), run(Device::Cuda(0)));
        for (w, g) in want.flows.iter().zip(&got.flows) {
            assert!((w - g).abs() <= 1e-4 + 1e-4 * w.abs(), "{g}, not {w}");
        }
    });
}

#[test]
fn fresh_memory_is_not_zero() {
    let stream = context(0).new_stream().unwrap();
    // SAFETY: any content is right.
    let fresh = unsafe { stream.alloc::<u32>(100) }.unwrap();
    assert_eq!(stream.clone_dtoh(&fresh).unwrap(), [u32::MAX; 100]);
}

#[test]
fn the_number_of_devices_is_set() {
    alone("memory::the_number_of_devices_is_set", &[("FLOWMASK_EMULATOR_DEVICES", "3")], || {
        assert!(open(2).is_ok());
        assert!(open(3).unwrap_err().to_string().contains("CUDA_ERROR_INVALID_DEVICE"));
        assert_eq!(cudarc::driver::CudaContext::device_count(), Ok(3));
    });
}

#[test]
fn there_may_be_no_device() {
    alone("memory::there_may_be_no_device", &[("FLOWMASK_EMULATOR_DEVICES", "0")], || {
        let error = open(0).unwrap_err().to_string();
        assert!(error.contains("CUDA_ERROR_NO_DEVICE"), "{error}");
    });
}
