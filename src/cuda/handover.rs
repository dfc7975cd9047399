//! Pixels and labels in GPU memory that belongs to the caller.

use std::ffi::c_void;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::{CUpointer_attribute, CUstream, cuPointerGetAttribute};
use std::sync::Arc;

use super::channels::{Finite, Raw};
use super::fill::fill;
use super::kernels::Address;
use super::kernels::handover::{self as kernels, Rows, View};
use super::{Buffer, Gpu};
use crate::{Error, PixelType, Result};

/// The largest number of pixels of an image, and of values in it, so that the kernels can count them in 32 bits.
const MAX_PIXELS: usize = 1 << 28;
const MAX_VALUES: usize = 1 << 31;

/// An image in the memory of a GPU, and the place for its labels.
#[derive(Clone, Copy, Debug)]
pub struct DeviceImage {
    /// The address of the first value; it must be a multiple of the value's bytes.
    pub pixels: u64,
    /// The type of the values.
    pub kind: PixelType,
    /// Height, width and channels.
    pub shape: [usize; 3],
    /// The bytes from one row to the next, from one pixel to the next in its row, and from one channel to the next.
    /// They must be multiples of the value's bytes, and may be negative.
    pub strides: [isize; 3],
    /// The place for the labels: the address of the first one, and the bytes from one row to the next, both multiples
    /// of 4. With `None`, the labels are copied to the host.
    pub labels: Option<(u64, isize)>,
    /// A `CUstream` of the GPU's primary context; 0 is the default stream. The pixels are read after everything that is
    /// in this stream already, and what is put into it later runs after the labels are written.
    pub stream: usize,
}

/// Scratch memory: one number, the largest label.
#[derive(Debug, Default)]
pub struct Scratch(Buffer<u32>);

impl DeviceImage {
    /// (height, width) of the image.
    pub fn size(&self) -> (usize, usize) {
        (self.shape[0], self.shape[1])
    }

    /// Checks the shape, addresses and strides, as far as the host can.
    ///
    /// # Errors
    /// [`Error::Image`] when there are no pixels or too many, or when rows of labels overlap; [`Error::Device`] for a
    /// wrong address or stride.
    pub(crate) fn check(&self, gpu: &Gpu) -> Result<()> {
        gpu.context().bind_to_thread().map_err(|e| gpu.error(e))?;
        let [height, width, channels] = self.shape;
        if self.shape.contains(&0) {
            return Err(Error::no_pixels(self.shape));
        }
        let pixels = height.checked_mul(width).filter(|&pixels| pixels <= MAX_PIXELS);
        if pixels.and_then(|pixels| pixels.checked_mul(channels)).is_none_or(|values| values > MAX_VALUES) {
            let reason = format!("{height} by {width} with {channels} channels is too large for the device");
            return Err(Error::Image(reason));
        }
        let bytes = self.kind.bytes();
        self.check_memory(gpu, "pixels", self.pixels, bytes, &self.shape, &self.strides)?;
        if let Some((labels, stride)) = self.labels {
            if stride.unsigned_abs() < 4 * width && height > 1 {
                return Err(Error::Image(format!("rows of {width} labels cannot be {stride} bytes apart")));
            }
            self.check_memory(gpu, "labels", labels, 4, &[height, width], &[stride, 4])?;
        }
        Ok(())
    }

    /// The image as the kernels take it.
    fn view(&self) -> View {
        let ([_, width, channels], [y, x, c]) = (self.shape, self.strides);
        View {
            data: Address::new(self.pixels),
            stride_y: y as i64,
            stride_x: x as i64,
            stride_c: c as i64,
            width: width as u32,
            channels: channels as u32,
        }
    }

    fn check_memory(
        &self,
        gpu: &Gpu,
        what: &str,
        address: u64,
        bytes: usize,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<()> {
        let device = gpu.device();
        if !address.is_multiple_of(bytes as u64)
            || strides.iter().any(|s| !s.unsigned_abs().is_multiple_of(bytes))
        {
            let reason =
                format!("the {what} are {bytes} bytes each, and their address or strides no multiple of it");
            return Err(Error::device(device, reason));
        }
        // The bytes from the first value to the value with the lowest or the highest address.
        let reach = |sign: isize| -> i128 {
            let axes = shape.iter().zip(strides).map(|(&len, &stride)| (len as i128 - 1) * stride as i128);
            axes.filter(|&far| far * sign as i128 > 0).sum()
        };
        for end in [reach(-1), reach(1)] {
            let address = i128::from(address) + end;
            if u64::try_from(address).map_or(true, |address| !is_on_device(gpu, address)) {
                let reason = format!("the {what} reach to {address:#x}, which is not in the device's memory");
                return Err(Error::device(device, reason));
            }
        }
        Ok(())
    }

    /// The caller's stream.
    fn stream(&self, gpu: &Gpu) -> Arc<CudaStream> {
        // SAFETY: the caller's stream outlives the call, and dropping the borrowed stream does not destroy it.
        unsafe { gpu.context().wrap_borrowed_stream(self.stream as CUstream) }
    }
}

/// Whether the driver knows the address as memory that this GPU's kernels can read: its own memory, managed memory, or
/// pinned memory of the host.
fn is_on_device(gpu: &Gpu, address: u64) -> bool {
    let mut ordinal = -1_i32;
    let attribute = CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL;
    // SAFETY: this attribute is a 32-bit integer, and the pointer is valid for one.
    let code = unsafe { cuPointerGetAttribute((&raw mut ordinal).cast::<c_void>(), attribute, address) };
    code.result().is_ok() && ordinal == gpu.context().ordinal() as i32
}

/// Copies the pixels to `raw`, after everything that is in the caller's stream already. What is put into that stream
/// later may overwrite the pixels.
///
/// Pixels that are not finite are noted in `finite`.
///
/// # Errors
/// [`Error::Device`] when the pixels cannot be read.
pub(crate) fn copy_pixels(gpu: &Gpu, image: &DeviceImage, raw: &mut Raw, finite: &mut Finite) -> Result<()> {
    let stream = image.stream(gpu);
    gpu.stream().join(&stream).map_err(|e| gpu.error(e))?;
    let [height, width, channels] = image.shape;
    let values = height * width * channels;
    let (view, count) = (image.view(), values as u32);
    let (grid, block) = ((count.div_ceil(256), 1, 1), (256, 1, 1));
    match (&mut *raw, image.kind) {
        (Raw::U8(buffer), PixelType::U8) => {
            kernels::handover_u8(gpu, grid, block, 0, &view, buffer.resize(gpu, values)?, count)?;
        }
        (Raw::U16(buffer), PixelType::U16) => {
            kernels::handover_u16(gpu, grid, block, 0, &view, buffer.resize(gpu, values)?, count)?;
        }
        (Raw::F32(buffer), PixelType::F32) => {
            let (out, bad) = (buffer.resize(gpu, values)?, finite.begin(gpu, image.shape)?);
            kernels::handover_f32(gpu, grid, block, 0, &view, out, count, bad)?;
        }
        (_, kind) => {
            *raw = Raw::of(kind);
            return copy_pixels(gpu, image, raw, finite);
        }
    }
    stream.join(gpu.stream()).map_err(|e| gpu.error(e))
}

/// Writes the labels to the caller's memory, and returns the number of cells. What the caller puts into its stream from
/// now on runs after the labels are written.
///
/// # Errors
/// [`Error::Device`].
pub(crate) fn write_labels(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    image: &DeviceImage,
    (address, stride): (u64, isize),
    scratch: &mut Scratch,
) -> Result<u32> {
    fill(gpu, &mut scratch.0, 0, 1)?;
    let ([height, width, _], data) = (image.shape, Address::new(address));
    let pixels = (height * width) as u32;
    let out = Rows { data, stride: stride as i64, width: width as u32, pixels };
    let (grid, largest) = ((pixels.div_ceil(256 * 16), 1, 1), scratch.0.get_mut());
    kernels::handover_labels(gpu, grid, (256, 1, 1), 0, labels.get(), &out, largest)?;
    image.stream(gpu).join(gpu.stream()).map_err(|e| gpu.error(e))?;
    Ok(scratch.0.download(gpu)?[0])
}
