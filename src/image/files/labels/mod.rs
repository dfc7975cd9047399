//! Files of label images, which have one whole number a pixel.

use std::path::Path;

use ndarray::{Array2, Axis};

use super::guard::guarded;
use super::options::ReadOptions;
use super::samples::Decoded;
use super::tiff;
use crate::memory::enough;
use crate::{Error, Result, regular, text};

mod npy;
pub(super) mod numbers;
mod png;
mod stack;

pub use stack::LabelStack;
pub(super) use stack::arrange;

/// The extensions of the files that [`read_labels`] understands, in lower case.
pub const LABEL_EXTENSIONS: &[&str] = &["tif", "tiff", "png", "npy"];

/// Reads a label image of one plane, `[height, width]` with 0 for background. See [`read_label_stack`] for the files
/// that are read.
///
/// # Errors
/// Those of [`read_label_stack`], and [`Error::ImageFile`] when the file has several planes.
pub fn read_labels(path: &Path) -> Result<Array2<u32>> {
    let labels = read_label_stack(path, &ReadOptions::default())?.labels;
    let planes = labels.dim().0 * labels.dim().1;
    if planes != 1 {
        return Err(Error::image_file(path, format!("holds {planes} planes; a label image has one")));
    }
    Ok(labels.index_axis_move(Axis(0), 0).index_axis_move(Axis(0), 0))
}

/// Reads labels, and how their planes lie, from a TIFF, a PNG, an NPY file, or the entry `masks` of Cellpose's `_seg.npy`.
/// That file is a Python pickle; it is read as data, and nothing in it is executed.
///
/// Every number comes as the file has it, up to `u32::MAX`; where a PNG or a TIFF has a palette, labels are the places in
/// it and not its colours. Floating point numbers are labels if they are whole, and so small that their type holds every
/// whole number: below 2^24 in single and below 2^11 in half precision.
///
/// All pages of a TIFF are planes, and so are the axes of an NPY file before its last two. What they are called comes from the
/// options, else from the description of a TIFF; nothing is guessed. [`ReadOptions::series`] has no effect, since a file has
/// one label image.
///
/// # Errors
/// [`Error::Option`] for options that are wrong for any file; [`Error::Read`] when the file cannot be read;
/// [`Error::ImageFile`] when it has no pixels, does not hold whole numbers from 0 to `u32::MAX`, or has other axes than the
/// options say; [`Error::Memory`]. Refused are colours, JPEG, negative numbers and fractions.
pub fn read_label_stack(path: &Path, options: &ReadOptions) -> Result<LabelStack> {
    options.check()?;
    let read = || regular::read(path, options.memory).map_err(|e| Error::read(path, e));
    decode_labels(path, enough(|| text::path(path), read)?, options)
}

/// Decodes the labels of a file that is in memory, as [`read_label_stack`] does. Errors show `name`.
///
/// # Errors
/// The errors of [`read_label_stack`], without [`Error::Read`].
///
/// ```
/// // Three pixels in a row, of which two are of cells.
/// let file = b"\x93NUMPY\x01\0\x39\0{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3)}\0\x01\x02";
/// let stack = flowmask::image::decode_labels("row_masks.npy", file.to_vec(), &Default::default())?;
/// assert_eq!(stack.labels, ndarray::array![[[[0, 1, 2]]]]);
/// # Ok::<(), flowmask::Error>(())
/// ```
pub fn decode_labels(name: impl AsRef<Path>, bytes: Vec<u8>, options: &ReadOptions) -> Result<LabelStack> {
    options.check()?;
    guarded(name.as_ref(), || labels(bytes, options))
}

fn labels(bytes: Vec<u8>, options: &ReadOptions) -> Decoded<LabelStack> {
    let stack = match bytes.as_slice() {
        [] => Err("the file is empty".into()),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => tiff::labels::decode(bytes, options),
        [0x89, b'P', b'N', b'G', ..] => png::decode(&bytes, options),
        [0xff, 0xd8, 0xff, ..] => Err("JPEG changes numbers and cannot hold labels".into()),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::decode(&bytes, options),
        _ => Err("not labels of a known format (TIFF, PNG and NPY are read)".into()),
    }?;
    match stack.labels.dim() {
        (_, _, height, width) if stack.labels.is_empty() => {
            Err(format!("has no pixels ({height} by {width})"))
        }
        _ => Ok(stack),
    }
}

/// Why an image with several numbers a pixel is refused.
pub(super) fn colours(channels: usize) -> String {
    format!("has {channels} channels; a label image has one number a pixel, not colours")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array4, array};

    fn labels(file: Vec<u8>) -> Decoded<Array4<u32>> {
        super::labels(file, &ReadOptions::default()).map(|stack| stack.labels)
    }

    /// A file as `numpy.save` writes it.
    fn npy(kind: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    /// The only plane.
    fn plane(file: Vec<u8>) -> Decoded<Array2<u32>> {
        let stack = labels(file)?;
        assert_eq!((stack.dim().0, stack.dim().1), (1, 1));
        Ok(stack.slice_move(ndarray::s![0, 0, .., ..]))
    }

    #[test]
    fn arrays_keep_every_label_and_their_order() {
        let large = [0, 1, u32::MAX, 1 << 24, (1 << 24) + 1, 5].map(u32::to_le_bytes).concat();
        let expected = array![[0, 1, u32::MAX], [1 << 24, (1 << 24) + 1, 5]];
        let labels = plane;
        assert_eq!(labels(npy("<u4", false, "(2, 3)", &large)).unwrap(), expected);
        assert_eq!(labels(npy("<u4", false, "(1, 2, 3)", &large)).unwrap(), expected);
        let turned = labels(npy("<u4", true, "(3, 2)", &large)).unwrap();
        assert_eq!(turned, expected.t());
        assert_eq!(labels(npy(">i2", false, "(1, 2)", &[0, 7, 1, 0])).unwrap(), array![[7, 256]]);
        assert_eq!(labels(npy("|b1", false, "(2, 1)", &[0, 1])).unwrap(), array![[0], [1]]);
        let large = [0.0, 4_294_967_295.0, 16_777_217.0].map(f64::to_le_bytes).concat();
        assert_eq!(labels(npy("<f8", false, "(1, 3)", &large)).unwrap(), array![[0, u32::MAX, 16_777_217]]);
        let single = [-0.0, 16_777_215.0_f32].map(f32::to_be_bytes).concat();
        assert_eq!(labels(npy(">f4", false, "(2, 1)", &single)).unwrap(), array![[0], [16_777_215]]);
    }

    #[test]
    fn axes_before_rows_and_columns_are_planes_and_volumes() {
        let numbers: Vec<u8> = (0..24).collect();
        for (shape, dim) in [
            ("(6, 4)", (1, 1, 6, 4)),
            ("(1, 24)", (1, 1, 1, 24)),
            ("(2, 3, 4)", (1, 2, 3, 4)),
            ("(6, 4, 1)", (1, 1, 6, 4)),
            ("(3, 1, 2, 4)", (1, 3, 2, 4)),
            ("(2, 2, 3, 2)", (2, 2, 3, 2)),
            ("(1, 1, 24)", (1, 1, 1, 24)),
        ] {
            let stack = labels(npy("|u1", false, shape, &numbers)).unwrap();
            assert_eq!(stack.dim(), dim, "{shape}");
            assert!(stack.iter().copied().eq(0..24), "{shape}");
        }
        // The first axis runs fastest.
        let turned = labels(npy("|u1", true, "(2, 3, 4)", &numbers)).unwrap();
        assert_eq!(turned[(0, 1, 0, 0)], 1);
        assert_eq!(turned[(0, 0, 0, 1)], 6);
    }

    #[test]
    fn what_is_no_label_image_is_refused() {
        for (file, reason) in [
            (npy("<i4", false, "(1, 1)", &[0xff; 4]), "-1"),
            (npy("<u8", false, "(1, 1)", &[0xff; 8]), "no label"),
            (npy("<f4", false, "(1, 1)", &0.5_f32.to_le_bytes()), "0.5"),
            (npy("<f4", false, "(1, 1)", &16_777_216_f32.to_le_bytes()), "16777216"),
            (npy("<f4", false, "(1, 1)", &f32::NAN.to_le_bytes()), "NaN"),
            (npy("<f2", false, "(1, 1)", &half::f16::from_f32(2048.0).to_le_bytes()), "from 0 to 2047"),
            (npy("<f8", false, "(1, 1)", &4_294_967_296_f64.to_le_bytes()), "4294967296"),
            (npy("<c8", false, "(1, 1)", &[0; 8]), "c8"),
            (npy("<u2", false, "(0, 5)", &[]), "no pixels (0 by 5)"),
            (npy("<u2", false, "(1, 3)", &[0; 4]), "ends"),
            (npy("<u2", false, "(1, 1)", &[0; 4]), "goes on"),
            (npy("<u2", false, "(4294967296, 4294967296)", &[0; 4]), "ends"),
            (npy("<u2", false, "(4294967296, 4294967296, 9)", &[0; 4]), "ends"),
            (npy("<u2", false, "(2, 2, 2, 2, 2)", &[0; 64]), "the shape [2, 2, 2, 2, 2]"),
            (npy("<u2", false, "(1, 1)", &[0; 3]), "within"),
            (npy("<u2", false, "(4,)", &[0; 8]), "rows and columns"),
            (npy("|O", false, "()", b"\x80\x02cposix\nsystem\n(X\x04\0\0\0true."), "posix.system"),
            (npy("|O", false, "()", b""), "damaged"),
            (vec![0xff, 0xd8, 0xff, 0xe0], "JPEG"),
            (vec![], "empty"),
            (b"words".to_vec(), "known format"),
        ] {
            let error = labels(file).unwrap_err();
            assert!(error.contains(reason), "{error}: {reason}");
        }
    }

    #[test]
    fn the_masks_of_cellpose_are_read_from_its_dictionary() {
        let mut expected = Array2::zeros((9, 12));
        expected.slice_mut(ndarray::s![1..4, 1..6]).fill(1);
        expected.slice_mut(ndarray::s![5..8, 2..5]).fill(2);
        expected.slice_mut(ndarray::s![4..9, 7..11]).fill(5);
        let small: &[u8] = include_bytes!("../../../../tests/data/labels/small_seg.npy");
        assert_eq!(plane(small.to_vec()).unwrap(), expected);
        // Masks of 32 bits in Fortran order, beside dates and scalars of NumPy.
        let gui: &[u8] = include_bytes!("../../../../tests/data/labels/gui_seg.npy");
        assert_eq!(plane(gui.to_vec()).unwrap(), expected.mapv(|label| 70_000 * label));
        for length in 0..gui.len() {
            assert!(labels(gui[..length].to_vec()).is_err(), "{length}");
        }
    }
}
