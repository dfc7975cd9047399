//! Arrays and files to pixels.

#[cfg(feature = "files")]
mod files;
pub(crate) mod pixel;

#[cfg(feature = "files")]
pub use files::{EXTENSIONS, LABEL_EXTENSIONS, read, read_labels};
pub use pixel::{Pixel, PixelType, Pixels};

use ndarray::{Array3, ArrayView2, ArrayView3};
use pixel::each;

use crate::{Error, Result};

/// One picture: at least one pixel and one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pixels: Pixels,
}

impl Image {
    /// An image from `[height, width, channels]`.
    ///
    /// # Errors
    /// [`Error::Image`] when one of the three is 0.
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

    /// An image of one channel from `[height, width]`.
    ///
    /// # Errors
    /// [`Error::Image`] when one of the two is 0.
    pub fn from_gray<T: Pixel>(view: ArrayView2<T>) -> Result<Self> {
        Self::from_channels(view.insert_axis(ndarray::Axis(2)))
    }

    /// An image that takes the pixels over; those that do not lie row by row are brought into this order.
    ///
    /// # Errors
    /// [`Error::Image`] when a side or the number of channels is 0.
    pub fn new(pixels: Pixels) -> Result<Self> {
        let image = Image { pixels: each!(pixels, Pixels(array) => Pixel::wrap(row_by_row(array))) };
        let (height, width, channels) = image.shape();
        if height == 0 || width == 0 || channels == 0 {
            return Err(Error::no_pixels([height, width, channels]));
        }
        Ok(image)
    }

    /// The only picture of a file.
    ///
    /// # Errors
    /// Those of [`read`], and [`Error::ImageFile`] when the file holds several pictures.
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

    /// (height, width).
    pub fn size(&self) -> (usize, usize) {
        (self.height(), self.width())
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.shape().0
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.shape().1
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        self.shape().2
    }

    fn shape(&self) -> (usize, usize, usize) {
        each!(&self.pixels, Pixels(array) => array.dim())
    }
}

/// The same array, in memory as it is read: row by row, the channels of a pixel together.
fn row_by_row<T: Copy>(array: Array3<T>) -> Array3<T> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}

/// The pictures of one file: the planes of a stack, or the frames of a time series. At least one.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// The pictures, all of one shape and type, in the order of the file (time before z).
    pub planes: Vec<Image>,
}
