//! Takes the channels of the network from the pixels of an image.

use ndarray::ArrayView3;

use super::kernels::channels::{channels_f32, channels_u8, channels_u16};
use super::{Buffer, Gpu, Pinned};
use crate::image::pixel::{each, typed};
use crate::plan::channels::{finite, present};
use crate::{PixelType, Pixels, Result};

typed! {
    /// The pixels of an image with their original type, `[height, width, channels]`.
    #[derive(Debug)]
    Raw, Buffer
}

impl Default for Raw {
    fn default() -> Self {
        Raw::of(PixelType::U8)
    }
}

impl Raw {
    /// An empty array for pixels of this type.
    pub(super) fn of(kind: PixelType) -> Self {
        each!(kind, T => Buffer::<T>::new().into())
    }

    /// Starts to copy an image's pixels to the GPU, and returns before the copy is done. The memory is kept for the
    /// next image of the same type.
    ///
    /// # Errors
    /// [`Error::Image`](crate::Error::Image) when a pixel is not finite, [`Error::Device`](crate::Error::Device).
    pub fn upload(&mut self, gpu: &Gpu, pixels: &Pixels, pinned: &mut Pinned) -> Result<()> {
        match (&mut *self, pixels) {
            (Raw::U8(buffer), Pixels::U8(a)) => copy(gpu, buffer, a.view(), pinned),
            (Raw::U16(buffer), Pixels::U16(a)) => copy(gpu, buffer, a.view(), pinned),
            (Raw::F32(buffer), Pixels::F32(a)) => {
                finite(a.view())?;
                copy(gpu, buffer, a.view(), pinned)
            }
            _ => {
                *self = Raw::of(pixels.kind());
                self.upload(gpu, pixels, pinned)
            }
        }
    }
}

fn copy<T>(gpu: &Gpu, buffer: &mut Buffer<T>, pixels: ArrayView3<T>, pinned: &mut Pinned) -> Result<()>
where
    T: cudarc::driver::DeviceRepr + bytemuck::Pod,
{
    match pixels.as_slice() {
        Some(values) => pinned.upload(gpu, values, buffer),
        None => pinned.upload(gpu, &pixels.iter().copied().collect::<Vec<T>>(), buffer),
    }
}

/// Writes the network's channels, `[height, width, nchan]`, to `out`. `size` is (height, width) of the image,
/// `image_channels` the number of its channels, and `choice` the channels to take, as in
/// [`cpu::channels`](crate::cpu::channels::channels).
///
/// # Errors
/// [`Error::Image`](crate::Error::Image) when the image has no such channel, [`Error::Device`](crate::Error::Device).
pub fn channels(
    gpu: &Gpu,
    raw: &Raw,
    size: (usize, usize),
    image_channels: usize,
    choice: [usize; 2],
    nchan: usize,
    out: &mut Buffer<f32>,
) -> Result<()> {
    present(image_channels, choice)?;
    let pixels = (size.0 * size.1) as u32;
    let out = out.resize(gpu, size.0 * size.1 * nchan)?;
    let (grid, block) = ((pixels.div_ceil(256), 1, 1), (256, 1, 1));
    let [count, first, second, nchan] = [image_channels, choice[0], choice[1], nchan].map(|n| n as i32);
    match raw {
        Raw::U8(raw) => channels_u8(gpu, grid, block, 0, raw.get(), out, pixels, count, first, second, nchan),
        Raw::U16(raw) => {
            channels_u16(gpu, grid, block, 0, raw.get(), out, pixels, count, first, second, nchan)
        }
        Raw::F32(raw) => {
            channels_f32(gpu, grid, block, 0, raw.get(), out, pixels, count, first, second, nchan)
        }
    }
}
