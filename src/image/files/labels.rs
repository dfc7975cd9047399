//! Files of label images, which have one whole number a pixel.

use std::fmt::Display;
use std::path::Path;

use ndarray::{Array2, Axis};

use super::format::decode;
use super::samples::Decoded;
use crate::image::{Image, Pixels};
use crate::model::dictionary;
use crate::npy::{Array, Number};
use crate::{Error, Result, regular};

/// The extensions of the files that [`read_labels`] understands, in lower case.
pub const LABEL_EXTENSIONS: &[&str] = &["tif", "tiff", "png", "npy"];

/// Single precision represents every whole number below this exactly.
const EXACT: f32 = (1 << 24) as f32;

/// Reads a label image, `[height, width]` with 0 for background, from a grey TIFF or PNG, an NPY file, or the entry
/// `masks` of Cellpose's `_seg.npy`. That file is a Python pickle; it is read as data, and nothing in it is executed.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read; [`Error::ImageFile`] when it is not one plane of whole numbers from 0
/// to `u32::MAX`. Refused are colours and palettes, JPEG, several planes, negative numbers, fractions, and 32-bit TIFF
/// with numbers from 2^24 on, which cannot be read exactly.
pub fn read_labels(path: &Path) -> Result<Array2<u32>> {
    let bytes = regular::read(path).map_err(|e| Error::read(path, e))?;
    labels(bytes).map_err(|reason| Error::image_file(path, reason))
}

fn labels(bytes: Vec<u8>) -> Decoded<Array2<u32>> {
    if bytes.starts_with(b"\x93NUMPY") {
        return numpy(&bytes);
    }
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return Err("JPEG changes numbers and cannot hold labels".into());
    }
    let planes = decode(bytes)?.planes;
    match planes.as_slice() {
        [plane] => grey(plane),
        planes => Err(format!("holds {} planes; a label image has one", planes.len())),
    }
}

fn grey(image: &Image) -> Decoded<Array2<u32>> {
    if image.channels() != 1 {
        let n = image.channels();
        return Err(format!(
            "has {n} channels; a label image has one number a pixel, not colours or a palette"
        ));
    }
    let plane = match image.pixels() {
        Pixels::U8(a) => a.mapv(u32::from),
        Pixels::U16(a) => a.mapv(u32::from),
        Pixels::F32(a) => match a.iter().find(|v| !(0.0..EXACT).contains(*v) || v.fract() != 0.0) {
            Some(value) => {
                return Err(format!("has the value {value}, which is no whole number from 0 to 16777215"));
            }
            None => a.mapv(|v| v as u32),
        },
    };
    Ok(plane.remove_axis(Axis(2)))
}

/// Labels from the array of an NPY file, or from the dictionary of a `_seg.npy`.
fn numpy(bytes: &[u8]) -> Decoded<Array2<u32>> {
    let array = Array::parse(bytes)?;
    if array.kind.starts_with('O') {
        return plane(dictionary::read(bytes)?.entry("masks")?);
    }
    plane(array)
}

/// Labels from an array with two axes, not counting axes of length 1.
fn plane(mut array: Array) -> Decoded<Array2<u32>> {
    if array.shape.len() != 2 {
        let shape = array.shape.clone();
        array.shape.retain(|&length| length != 1);
        if array.shape.len() != 2 {
            return Err(format!("has the shape {shape:?}; a label image has one plane"));
        }
    }
    let labels = match array.kind {
        "b1" | "u1" => whole::<u8>(&array),
        "u2" => whole::<u16>(&array),
        "u4" => whole::<u32>(&array),
        "u8" => whole::<u64>(&array),
        "i1" => whole::<i8>(&array),
        "i2" => whole::<i16>(&array),
        "i4" => whole::<i32>(&array),
        "i8" => whole::<i64>(&array),
        kind => Err(format!("has values of type {kind}; labels are whole numbers")),
    }?;
    array.with_shape(labels)?.into_dimensionality().map_err(|e| e.to_string())
}

/// Converts numbers of type `T` to labels.
fn whole<T: Number + TryInto<u32> + Display>(array: &Array) -> Decoded<Vec<u32>> {
    if !array.data.len().is_multiple_of(size_of::<T>()) {
        return Err("the array ends within a number".into());
    }
    let numbers = array.numbers(|number: T| number)?;
    if size_of_val(&numbers[..]) < array.data.len() {
        return Err("the file goes on after the array".into());
    }
    let label = |number: T| {
        let not_a_label = |_| format!("has the value {number}, which is no label from 0 to {}", u32::MAX);
        number.try_into().map_err(not_a_label)
    };
    numbers.into_iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// A file as `numpy.save` writes it.
    fn npy(kind: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn arrays_keep_every_label_and_their_order() {
        let large = [0, 1, u32::MAX, 1 << 24, (1 << 24) + 1, 5].map(u32::to_le_bytes).concat();
        let expected = array![[0, 1, u32::MAX], [1 << 24, (1 << 24) + 1, 5]];
        assert_eq!(labels(npy("<u4", false, "(2, 3)", &large)).unwrap(), expected);
        assert_eq!(labels(npy("<u4", false, "(1, 2, 3)", &large)).unwrap(), expected);
        let turned = labels(npy("<u4", true, "(3, 2)", &large)).unwrap();
        assert_eq!(turned, expected.t());
        assert_eq!(labels(npy(">i2", false, "(1, 2)", &[0, 7, 1, 0])).unwrap(), array![[7, 256]]);
        assert_eq!(labels(npy("|b1", false, "(2, 1)", &[0, 1])).unwrap(), array![[0], [1]]);
    }

    #[test]
    fn what_is_no_label_image_is_refused() {
        for (file, reason) in [
            (npy("<i4", false, "(1, 1)", &[0xff; 4]), "-1"),
            (npy("<u8", false, "(1, 1)", &[0xff; 8]), "no label"),
            (npy("<f4", false, "(1, 1)", &[0; 4]), "f4"),
            (npy("<u2", false, "(1, 3)", &[0; 4]), "ends"),
            (npy("<u2", false, "(1, 1)", &[0; 4]), "goes on"),
            (npy("<u2", false, "(4294967296, 4294967296)", &[0; 4]), "ends"),
            (npy("<u2", false, "(4294967296, 4294967296, 9)", &[0; 4]), "one plane"),
            (npy("<u2", false, "(1, 1)", &[0; 3]), "within"),
            (npy("<u2", false, "(4,)", &[0; 8]), "one plane"),
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
        let small: &[u8] = include_bytes!("../../../tests/data/labels/small_seg.npy");
        assert_eq!(labels(small.to_vec()).unwrap(), expected);
        // Masks of 32 bits in Fortran order, beside dates and scalars of NumPy.
        let gui: &[u8] = include_bytes!("../../../tests/data/labels/gui_seg.npy");
        assert_eq!(labels(gui.to_vec()).unwrap(), expected.mapv(|label| 70_000 * label));
        for length in 0..gui.len() {
            assert!(labels(gui[..length].to_vec()).is_err(), "{length}");
        }
    }
}
