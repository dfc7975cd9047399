//! Images: their pixels, from arrays and from files.

#[cfg(feature = "files")]
mod files;
pub(crate) mod pixel;
mod stack;

#[cfg(feature = "files")]
pub use files::{
    EXTENSIONS, LABEL_EXTENSIONS, LabelStack, ReadOptions, UNREADABLE, decode, decode_labels, read,
    read_label_stack, read_labels, read_with,
};
pub use pixel::{Pixel, PixelType, Pixels};
pub(crate) use stack::metres;
pub use stack::{Axis, Layout, Note, PixelSize, Stack};

use ndarray::{Array3, ArrayView2, ArrayView3};
use pixel::each;

use crate::{Error, Result};

/// One picture, with at least one pixel and one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pixels: Pixels,
}

impl Image {
    /// An image from `[height, width, channels]`; the pixels are copied.
    ///
    /// # Errors
    /// [`Error::Image`] when the height, the width or the number of channels is 0.
    ///
    /// ```
    /// let pixels = ndarray::Array3::<u16>::zeros((64, 48, 2));
    /// let image = flowmask::Image::from_channels(pixels.view())?;
    /// assert_eq!((image.height(), image.width(), image.channels()), (64, 48, 2));
    /// # Ok::<(), flowmask::Error>(())
    /// ```
    pub fn from_channels<T: Pixel>(view: ArrayView3<T>) -> Result<Self> {
        Self::new(T::wrap(view.as_standard_layout().into_owned()))
    }

    /// An image with one channel from `[height, width]`; the pixels are copied.
    ///
    /// # Errors
    /// [`Error::Image`] when the height or the width is 0.
    pub fn from_gray<T: Pixel>(view: ArrayView2<T>) -> Result<Self> {
        Self::from_channels(view.insert_axis(ndarray::Axis(2)))
    }

    /// An image that owns these pixels. They are copied only if the array is not in C order.
    ///
    /// # Errors
    /// [`Error::Image`] when the height, the width or the number of channels is 0.
    pub fn new(pixels: Pixels) -> Result<Self> {
        let image = Image { pixels: each!(pixels, Pixels(array) => Pixel::wrap(c_order(array))) };
        let (height, width, channels) = image.shape();
        if height == 0 || width == 0 || channels == 0 {
            return Err(Error::no_pixels([height, width, channels]));
        }
        Ok(image)
    }

    /// Reads a file with one picture.
    ///
    /// # Errors
    /// The errors of [`read`]; [`Error::ImageFile`] when the file holds several pictures.
    #[cfg(feature = "files")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self> {
        let mut stack = read(path.as_ref())?;
        match stack.planes.len() {
            1 => Ok(stack.planes.remove(0)),
            n => Err(Error::image_file(path.as_ref(), format!("holds {n} planes, one is expected"))),
        }
    }

    /// The pixels.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// The size, (height, width).
    pub fn size(&self) -> (usize, usize) {
        (self.height(), self.width())
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.shape().0
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.shape().1
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.shape().2
    }

    fn shape(&self) -> (usize, usize, usize) {
        each!(&self.pixels, Pixels(array) => array.dim())
    }
}

/// The same array in C order: row by row, the channels of a pixel together.
fn c_order<T: Copy>(array: Array3<T>) -> Array3<T> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}
