//! The caller's pixels.

use std::ffi::c_void;

use ndarray::Array3;

use crate::fault::Fault;
use crate::flowmask_status::FLOWMASK_ERROR_IMAGE;
use crate::flowmask_type::*;
use crate::sized::{self, sized};
use flowmask::{Image, PixelType, Pixels};
use half::f16;

/// The type of the numbers in an image, in the byte order of the machine.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_type {
    /// 8-bit unsigned integers.
    FLOWMASK_U8 = 1,
    /// 16-bit unsigned integers.
    FLOWMASK_U16 = 2,
    /// 32-bit floats.
    FLOWMASK_F32 = 3,
    /// 16-bit signed integers; on the host only.
    FLOWMASK_I16 = 4,
    /// 16-bit floats (IEEE 754 binary16); on the host only.
    FLOWMASK_F16 = 5,
    /// 64-bit floats, which are rounded to 32 bits; on the host only.
    FLOWMASK_F64 = 6,
}

/// Pixels that the caller owns. They are read during a call, and not kept.
///
/// The number at row y, column x and channel c is at data + y * stride_y + x * stride_x + c * stride_c. Strides are in
/// bytes. They need no alignment, and may be negative. A stride of 0 means no gaps: leave all three 0 for a dense array
/// [height, width, channels], and set only stride_y for padded rows. For one plane after the other, one for each channel,
/// set stride_x and stride_c.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_image {
    /// sizeof(flowmask_image).
    pub size: u32,
    /// A flowmask_type.
    pub r#type: i32,
    /// The first number of the first pixel.
    pub data: *const c_void,
    /// The number of rows, at least 1.
    pub height: u64,
    /// The number of columns, at least 1.
    pub width: u64,
    /// The number of channels, at least 1.
    pub channels: u64,
    /// Bytes from one row to the next.
    pub stride_y: i64,
    /// Bytes from one pixel to the next in the same row.
    pub stride_x: i64,
    /// Bytes from one channel to the next of the same pixel.
    pub stride_c: i64,
}

sized!(
    flowmask_image, "image", first: 64,
    fields: [
        size: u32, r#type: i32, data: *const c_void, height: u64, width: u64, channels: u64, stride_y: i64,
        stride_x: i64, stride_c: i64,
    ],
    flowmask_image {
        size: 64, r#type: 0, data: std::ptr::null(), height: 0, width: 0, channels: 0, stride_y: 0, stride_x: 0,
        stride_c: 0,
    }
);

/// Refuses NULL, and pointers that are not aligned for their type.
pub(crate) fn check_pointer<T>(name: &str, pointer: *const T) -> Result<(), Fault> {
    if pointer.is_null() {
        return Err(Fault::argument(name, "is NULL"));
    }
    if !pointer.is_aligned() {
        let reason = format!("is at an address that is not a multiple of {}", align_of::<T>());
        return Err(Fault::argument(name, reason));
    }
    Ok(())
}

/// A [`flowmask_image`] whose fields were checked.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub data: *const u8,
    pub kind: flowmask_type,
    /// [height, width, channels].
    pub shape: [usize; 3],
    /// The strides along y, x and c, in bytes.
    pub strides: [isize; 3],
}

// SAFETY: the caller does not change the pixels until its call returns, so other threads may read them meanwhile.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// # Safety
    /// `image` is NULL or points to a struct that has the size in its first field.
    pub unsafe fn new(image: *const flowmask_image) -> Result<Self, Fault> {
        // SAFETY: the caller guarantees it.
        let image = unsafe { sized::read(image) }?;
        let kind = pixel_type(image.r#type)
            .ok_or_else(|| Fault::argument("image", format!("{} is not a flowmask_type", image.r#type)))?;
        let sides = [image.height, image.width, image.channels];
        let [height, width, channels] = sides;
        if sides.contains(&0) {
            let reason = format!("image: no pixels ({height} by {width}, {channels} channels)");
            return Err(Fault::new(FLOWMASK_ERROR_IMAGE, reason));
        }
        check_pointer("data of the image", image.data.cast::<u8>())?;
        let (strides, shape) = strides(&image, bytes(kind)).zip(shape(sides)).ok_or_else(|| {
            let reason = format!("image: {height} by {width} with {channels} channels is too large");
            Fault::new(FLOWMASK_ERROR_IMAGE, reason)
        })?;
        if image.stride_x == 0 && strides[2] != bytes(kind) as isize && channels > 1 {
            return Err(Fault::argument("image", "stride_c is set, so stride_x must be set too"));
        }
        Ok(View { data: image.data.cast(), kind, shape, strides })
    }

    /// Copies the pixels into an image without gaps.
    ///
    /// # Safety
    /// The pixels can be read.
    pub unsafe fn image(&self) -> Result<Image, Fault> {
        // SAFETY: the caller guarantees it.
        let pixels: Pixels = unsafe {
            match self.kind {
                FLOWMASK_U8 => self.copy::<u8>().into(),
                FLOWMASK_U16 => self.copy::<u16>().into(),
                FLOWMASK_F32 => self.copy::<f32>().into(),
                // As from a file, other types become floats.
                FLOWMASK_I16 => self.copy::<i16>().mapv(f32::from).into(),
                FLOWMASK_F16 => self.copy::<u16>().mapv(|bits| f16::from_bits(bits).to_f32()).into(),
                FLOWMASK_F64 => self.copy::<f64>().mapv(|value| value as f32).into(),
            }
        };
        Ok(Image::new(pixels)?)
    }

    /// The type of the pixels in the memory of a GPU.
    pub fn on_device(&self) -> Result<PixelType, Fault> {
        match self.kind {
            FLOWMASK_U8 => Ok(PixelType::U8),
            FLOWMASK_U16 => Ok(PixelType::U16),
            FLOWMASK_F32 => Ok(PixelType::F32),
            other => Err(Fault::argument("image", format!("{other:?} is not a type that a GPU reads"))),
        }
    }

    unsafe fn copy<T: Copy>(&self) -> Array3<T> {
        let [height, width, channels] = self.shape;
        let mut values = Vec::<T>::with_capacity(height * width * channels);
        for y in 0..height {
            // SAFETY: the caller's row can be read, and the vector has room for all rows.
            unsafe {
                let row = self.data.wrapping_offset(y as isize * self.strides[0]);
                self.copy_row(row, values.as_mut_ptr().add(y * width * channels));
            }
        }
        // SAFETY: all values were written.
        unsafe { values.set_len(height * width * channels) };
        Array3::from_shape_vec(self.shape, values).expect("the shape has as many values")
    }

    unsafe fn copy_row<T: Copy>(&self, row: *const u8, to: *mut T) {
        let ([_, width, channels], [_, step_x, step_c], bytes) = (self.shape, self.strides, size_of::<T>());
        if step_c == bytes as isize && step_x == (channels * bytes) as isize {
            // SAFETY: the row has no gaps. It is copied as bytes, since it may not be aligned.
            return unsafe {
                std::ptr::copy_nonoverlapping(row, to.cast::<u8>(), width * channels * bytes);
            };
        }
        for x in 0..width {
            for c in 0..channels {
                let from = row.wrapping_offset(x as isize * step_x + c as isize * step_c);
                // SAFETY: the caller's number can be read, and may not be aligned.
                unsafe { to.add(x * channels + c).write(from.cast::<T>().read_unaligned()) };
            }
        }
    }
}

/// The type with this number.
fn pixel_type(number: i32) -> Option<flowmask_type> {
    let types = [FLOWMASK_U8, FLOWMASK_U16, FLOWMASK_F32, FLOWMASK_I16, FLOWMASK_F16, FLOWMASK_F64];
    types.into_iter().find(|&known| known as i32 == number)
}

/// The length of a number in bytes.
fn bytes(kind: flowmask_type) -> usize {
    match kind {
        FLOWMASK_U8 => 1,
        FLOWMASK_U16 | FLOWMASK_I16 | FLOWMASK_F16 => 2,
        FLOWMASK_F32 => 4,
        FLOWMASK_F64 => 8,
    }
}

/// The shape, if it has fewer than 2³¹ pixels and 2³³ numbers.
fn shape(sides: [u64; 3]) -> Option<[usize; 3]> {
    let pixels = sides[0].checked_mul(sides[1]).filter(|&pixels| pixels < 1 << 31)?;
    pixels.checked_mul(sides[2]).filter(|&numbers| numbers < 1 << 33)?;
    let [height, width, channels] = sides.map(|side| usize::try_from(side).ok());
    Some([height?, width?, channels?])
}

/// The strides. One that is 0 becomes that of an array without gaps. `None` when they reach farther than an address can.
fn strides(image: &flowmask_image, bytes: usize) -> Option<[isize; 3]> {
    let or = |stride: i64, tight: Option<i64>| if stride == 0 { tight } else { Some(stride) };
    let within = |side: u64, stride: i64| i64::try_from(side).ok()?.checked_mul(stride);
    let c = or(image.stride_c, Some(bytes as i64))?;
    let x = or(image.stride_x, within(image.channels, c))?;
    let y = or(image.stride_y, within(image.width, x))?;
    let reach = [(image.height, y), (image.width, x), (image.channels, c)]
        .into_iter()
        .try_fold(0_i64, |sum, (side, stride)| sum.checked_add(within(side, stride)?.checked_abs()?))?;
    isize::try_from(reach).ok()?;
    let [y, x, c] = [y, x, c].map(|stride| isize::try_from(stride).ok());
    Some([y?, x?, c?])
}
