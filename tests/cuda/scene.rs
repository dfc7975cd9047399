//! An image in the GPU's memory and what its labels should be.

use std::path::PathBuf;

use flowmask::cuda::{DeviceImage, Gpu};
use flowmask::{Device, Diameter, Image, Model, Options, PixelType, Segmentation, Segmenter};
use ndarray::Array3;

/// Discs on a noisy ground, in two channels.
pub fn discs(height: usize, width: usize, side: usize) -> Array3<u16> {
    Array3::from_shape_fn((height, width, 2), |(y, x, c)| {
        let middle = side as f32 / 2.0 - 0.5;
        let (dy, dx) = ((y % side) as f32 - middle, (x % side) as f32 - middle);
        let noise = ((y * 7919 + x * 104_729 + c * 31) % 13) as u16;
        if dy * dy + dx * dx < middle * middle * 0.6 { 180 + noise * 50 } else { 10 + noise }
    })
}

/// A model of random weights, small enough for the emulator.
pub fn tiny_path() -> PathBuf {
    super::root().join("tests/data/models/tiny.pth")
}

pub fn tiny() -> Model {
    Model::open(tiny_path()).unwrap()
}

/// With random weights there are masks only where nothing is dropped.
pub fn options() -> Options {
    Options::default()
        .diameter(Diameter::Pixels(24.0))
        .channels([2, 1])
        .bsize(32)
        .cellprob_threshold(-1e30)
        .flow_threshold(0.0)
        .min_size(1)
}

/// Memory of the device with this in it.
pub struct Memory {
    gpu: Gpu,
    pub slice: cudarc::driver::CudaSlice<u8>,
}

impl Memory {
    pub fn of<T: bytemuck::Pod>(gpu: &Gpu, values: &[T]) -> Self {
        let slice = gpu.stream().clone_htod(bytemuck::cast_slice::<T, u8>(values)).unwrap();
        gpu.synchronize().unwrap();
        Memory { gpu: gpu.clone(), slice }
    }

    pub fn address(&self) -> u64 {
        use cudarc::driver::DevicePtr;
        self.slice.device_ptr(self.gpu.stream()).0
    }

    pub fn read<T: bytemuck::Pod>(&self) -> Vec<T> {
        self.gpu.synchronize().unwrap();
        let bytes = self.gpu.stream().clone_dtoh(&self.slice).unwrap();
        bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }
}

#[allow(dead_code, reason = "the C interface has its own image")]
pub fn image_of(memory: &Memory, kind: PixelType, shape: [usize; 3], bytes: isize) -> DeviceImage {
    let [_, width, channels] = shape.map(|side| side as isize);
    let strides = [width * channels * bytes, channels * bytes, bytes];
    let stream = memory.gpu.stream().cu_stream() as usize;
    DeviceImage { pixels: memory.address(), kind, shape, strides, labels: None, stream }
}

pub fn segmenter() -> Segmenter {
    Segmenter::builder().model(tiny()).devices([Device::Cuda(0)]).build().unwrap()
}

/// The images alone, through the host.
pub fn expected(segmenter: &Segmenter, pixels: &[Array3<u16>]) -> Vec<Segmentation> {
    let one = |pixels: &Array3<u16>| {
        segmenter.segment(&Image::from_channels(pixels.view()).unwrap(), &options()).unwrap()
    };
    pixels.iter().map(one).collect()
}
