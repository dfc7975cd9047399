//! Takes the channels of the network from the pixels of an image.

use ndarray::ArrayView3;

use cudarc::driver::CudaSlice;

use super::fill::fill;
use super::kernels::channels::{channels_f32, channels_finite, channels_u8, channels_u16};
use super::{Buffer, Gpu, Pinned};
use crate::image::pixel::{each, typed};
use crate::plan::channels::{is_pixel, present};
use crate::{Error, PixelType, Pixels, Result};

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
    /// [`Error::Device`].
    pub fn upload(&mut self, gpu: &Gpu, pixels: &Pixels, pinned: &mut Pinned) -> Result<()> {
        match (&mut *self, pixels) {
            (Raw::U8(buffer), Pixels::U8(a)) => copy(gpu, buffer, a.view(), pinned),
            (Raw::U16(buffer), Pixels::U16(a)) => copy(gpu, buffer, a.view(), pinned),
            (Raw::F32(buffer), Pixels::F32(a)) => copy(gpu, buffer, a.view(), pinned),
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

/// Whether all pixels of an image can be computed with. The GPU looks at them beside its other work, and the answer is read
/// when something waits for the GPU anyway.
#[derive(Debug, Default)]
pub struct Finite {
    /// One value: the smallest index of a pixel with a value that is not finite or too large, or `u32::MAX`.
    bad: Buffer<u32>,
    /// Of the image: height, width, channels.
    shape: [usize; 3],
}

impl Finite {
    /// Begins with an image in which no such pixel is found yet. A kernel lowers the number.
    pub(super) fn begin(&mut self, gpu: &Gpu, shape: [usize; 3]) -> Result<&mut CudaSlice<u32>> {
        self.shape = shape;
        fill(gpu, &mut self.bad, u32::MAX, 1)?;
        Ok(self.bad.get_mut())
    }

    /// Waits for the stream, then refuses pixels that are not all finite and at most 1e30, as
    /// [`cpu::channels`](crate::cpu::channels::channels) does; the error names the first that is not. `raw` has the pixels
    /// that [`finite`] looked at.
    ///
    /// # Errors
    /// [`Error::Image`], [`Error::Device`].
    pub fn check(&self, gpu: &Gpu, raw: &Raw) -> Result<()> {
        let Raw::F32(pixels) = raw else { return Ok(()) };
        let bad = self.bad.download(gpu)?.first().map_or(u32::MAX, |&bad| bad);
        if bad == u32::MAX {
            return Ok(());
        }
        let (pixel, [_, width, channels]) = (bad as usize, self.shape);
        let mut values = vec![0.0; channels];
        let from = pixels.get().slice(pixel * channels..(pixel + 1) * channels);
        gpu.stream().memcpy_dtoh(&from, &mut values).map_err(|e| gpu.error(e))?;
        gpu.synchronize()?;
        let of_pixel = values.into_iter().enumerate().find(|&(_, value)| !is_pixel(value));
        let (c, value) = of_pixel.unwrap_or((0, f32::NAN));
        Err(Error::not_finite([pixel / width, pixel % width, c], value))
    }
}

/// Looks for pixels that cannot be computed with; [`Finite::check`] has the answer. `shape` is height, width and channels.
///
/// # Errors
/// [`Error::Device`].
pub fn finite(gpu: &Gpu, raw: &Raw, shape: [usize; 3], out: &mut Finite) -> Result<()> {
    let Raw::F32(values) = raw else { return Ok(()) };
    let bad = out.begin(gpu, shape)?;
    let pixels = (shape[0] * shape[1]) as u32;
    let (grid, block) = ((pixels.div_ceil(256), 1, 1), (256, 1, 1));
    channels_finite(gpu, grid, block, 0, values.get(), pixels, shape[2] as i32, bad)
}

/// Writes the network's channels, `[height, width, nchan]`, to `out`. `size` is (height, width) of the image,
/// `image_channels` the number of its channels, and `choice` the channels to take, as in
/// [`cpu::channels`](crate::cpu::channels::channels).
///
/// # Errors
/// [`Error::Image`] when the image has no such channel, [`Error::Device`].
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
