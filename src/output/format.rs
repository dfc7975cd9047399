//! The file formats of label images, and the choice of the writer.

use std::path::Path;

use ndarray::ArrayView2;

use super::{labels, planes};
use crate::atomic::{Destination, write_atomic};
use crate::image::{Axis, Layout};
use crate::{Error, Result};

/// The file format of a label image.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// TIFF compressed with deflate, one page for each plane; 16 bits, or 32 bits for labels above 65 535.
    #[default]
    Tif,
    /// PNG with 16 bits: one plane, labels up to 65 535.
    Png,
    /// NumPy array `[height, width]`, before them the axes of the planes; 16 bits, or 32 bits for labels above 65 535.
    Npy,
}

impl Format {
    /// The extension of files in this format, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Tif => "tif",
            Format::Png => "png",
            Format::Npy => "npy",
        }
    }

    /// Tells before labels are computed whether a file of this format, which will have this path, can hold so many planes.
    ///
    /// # Errors
    /// [`Error::Labels`] when it cannot.
    pub fn check(self, path: &Path, planes: usize) -> Result<()> {
        if self == Format::Png && planes > 1 {
            let reason = format!("a PNG holds one plane, not {planes}: use tif or npy");
            return Err(Error::labels(path, reason));
        }
        Ok(())
    }
}

/// Writes the labels of one or more planes to a file. Each plane is `[height, width]` with 0 for background, and all
/// planes have the same size.
///
/// # Errors
/// [`Error::Labels`] when `format` cannot hold the planes or labels, [`Error::Image`] when there are no planes, a plane
/// has no pixels or planes differ in size, [`Error::Write`] when the file cannot be written, [`Error::Exists`] when
/// one there must not be replaced. After an error, a file that was there is unchanged.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("masks.tif");
/// use flowmask::output::{Format, save_labels};
/// let masks = ndarray::array![[0_u32, 1, 1], [2, 2, 0]];
/// save_labels(&path, &[masks.view()], Format::Tif)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_labels(to: impl Into<Destination>, masks: &[ArrayView2<u32>], format: Format) -> Result<()> {
    let axes = match masks.len() {
        1 => vec![],
        length => vec![Axis { letter: 'Z', length }],
    };
    save_labels_as(to, masks, format, &Layout::default().axes(axes))
}

/// Like [`save_labels`], with the axes and the pixel size of the image ([`Stack::layout`](crate::Stack::layout)), so that
/// the labels lie over it. A TIFF has them as the description of an ImageJ hyperstack, which ImageJ, Fiji, QuPath and
/// tifffile understand, or as tifffile's JSON if there are other axes than time and depth. An array of NumPy has the
/// lengths of the axes in its shape, and a PNG nothing of it.
///
/// # Errors
/// Those of [`save_labels`]; [`Error::Image`] when the planes do not fill the axes.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("masks.tif");
/// use flowmask::image::{Axis, Layout, PixelSize};
/// use flowmask::output::{Format, save_labels_as};
/// let frames = vec![ndarray::array![[0_u32, 1, 1], [2, 2, 0]]; 2];
/// let views: Vec<_> = frames.iter().map(|frame| frame.view()).collect();
/// let pixel_size = PixelSize::default().x(Some(0.325)).y(Some(0.325)).unit(Some("µm".into()));
/// let layout = Layout::default().axes(vec![Axis { letter: 'T', length: 2 }]).pixel_size(pixel_size);
/// save_labels_as(&path, &views, Format::Tif, &layout)?;
/// assert_eq!(flowmask::image::read(&path)?.layout.axes, layout.axes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_labels_as(
    to: impl Into<Destination>,
    masks: &[ArrayView2<u32>],
    format: Format,
    layout: &Layout,
) -> Result<()> {
    let to = to.into();
    planes::check(masks, layout)?;
    format.check(to.path(), masks.len())?;
    let max_label = masks.iter().flatten().copied().max().unwrap_or(0);
    if format == Format::Png && max_label > u32::from(u16::MAX) {
        let reason = format!("a PNG holds labels up to 65535, not {max_label}: use tif or npy");
        return Err(Error::labels(to.path(), reason));
    }
    let narrow = max_label <= u32::from(u16::MAX);
    write_atomic(to, |writer| match (format, narrow) {
        (Format::Tif, true) => {
            labels::tif::<_, _, tiff::encoder::colortype::Gray16>(writer, masks, layout, |v| v as u16)
        }
        (Format::Tif, false) => {
            labels::tif::<_, _, tiff::encoder::colortype::Gray32>(writer, masks, layout, |v| v)
        }
        (Format::Npy, true) => labels::npy(writer, masks, layout, |v| v as u16),
        (Format::Npy, false) => labels::npy(writer, masks, layout, |v| v),
        (Format::Png, _) => labels::png(writer, masks[0]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Pixels, read};
    use ndarray::Array2;

    /// A plane with labels up to about `max_label`.
    fn plane(max_label: u32, seed: u32) -> Array2<u32> {
        Array2::from_shape_fn((7, 9), |(y, x)| (y as u32 * 9 + x as u32 + seed) * (max_label / 62))
    }

    fn round_trip(planes: &[Array2<u32>], format: Format) -> (Vec<Array2<u32>>, &'static str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masks").with_extension(format.extension());
        let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
        save_labels(&path, &views, format).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let stack = read(&path).unwrap();
        let kind = match stack.planes[0].pixels() {
            Pixels::U8(_) => "u8",
            Pixels::U16(_) => "u16",
            Pixels::F32(_) => "wide",
        };
        let back = |image: &crate::Image| match image.pixels() {
            Pixels::U8(a) => a.mapv(u32::from).remove_axis(ndarray::Axis(2)),
            Pixels::U16(a) => a.mapv(u32::from).remove_axis(ndarray::Axis(2)),
            Pixels::F32(a) => a.mapv(|v| v as u32).remove_axis(ndarray::Axis(2)),
        };
        (stack.planes.iter().map(back).collect(), kind)
    }

    #[test]
    fn labels_come_back_from_every_format() {
        for format in [Format::Tif, Format::Png, Format::Npy] {
            let planes = [plane(65_535, 0)];
            assert_eq!(round_trip(&planes, format), (planes.to_vec(), "u16"), "{format:?}");
        }
        for format in [Format::Tif, Format::Npy] {
            let planes = [plane(70_000, 0)];
            assert_eq!(round_trip(&planes, format), (planes.to_vec(), "wide"), "{format:?}");
            // The reader takes few planes for channels, unless the file names its axes.
            for n in if format == Format::Tif { vec![2, 3, 12] } else { vec![12] } {
                let planes: Vec<_> = (0..n).map(|i| plane(620, i)).collect();
                assert_eq!(round_trip(&planes, format), (planes.clone(), "u16"), "{format:?} of {n}");
            }
        }
    }

    #[test]
    fn labels_of_any_layout_are_written() {
        let wide = plane(62, 0);
        let planes = [wide.t().to_owned()];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masks.tif");
        for format in [Format::Tif, Format::Png, Format::Npy] {
            save_labels(&path, &[wide.t()], format).unwrap();
            let image = crate::Image::open(&path).unwrap();
            assert_eq!((image.height(), image.width()), planes[0].dim());
            let Pixels::U16(a) = image.pixels() else { panic!("{format:?}") };
            assert_eq!(a.mapv(u32::from).remove_axis(ndarray::Axis(2)), planes[0], "{format:?}");
        }
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masks.png");
        let (small, large) = (plane(62, 0), plane(70_000, 0));
        for masks in [vec![small.view(), small.view()], vec![large.view()]] {
            let error = save_labels(&path, &masks, Format::Png).unwrap_err();
            assert!(matches!(&error, Error::Labels { path: p, .. } if p == &path), "{error}");
            assert!(error.to_string().contains("use tif or npy"), "{error}");
        }
        let turned = small.t();
        for masks in [vec![], vec![small.view(), turned]] {
            assert!(matches!(save_labels(&path, &masks, Format::Tif), Err(Error::Image(_))));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
