//! Arrays in NumPy's NPY format (`numpy.lib.format`). Versions 1 to 3 are read, version 1 is written.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use crate::memory::{collected, enough};
use crate::{Error, Result, regular, text};

mod header;

use header::{Header, MAX_AXES};

/// A number that an NPY file can hold.
pub trait Number: Copy + sealed::Sealed {
    /// NumPy's name of the type without the byte order, such as `u2`.
    const KIND: &'static str;
}

pub(crate) mod sealed {
    pub trait Sealed: Sized {
        /// Reads the number from exactly its `bytes`.
        fn read(bytes: &[u8], big_endian: bool) -> Self;
        /// The bytes of the number, little-endian.
        fn bytes(self) -> impl AsRef<[u8]>;
    }
}

macro_rules! numbers {
    ($($type:ty: $kind:literal),*) => {$(
        impl sealed::Sealed for $type {
            fn read(bytes: &[u8], big_endian: bool) -> Self {
                let mut raw = [0; size_of::<Self>()];
                raw.copy_from_slice(bytes);
                if big_endian { Self::from_be_bytes(raw) } else { Self::from_le_bytes(raw) }
            }
            fn bytes(self) -> impl AsRef<[u8]> {
                self.to_le_bytes()
            }
        }
        impl Number for $type {
            const KIND: &'static str = $kind;
        }
    )*};
}
numbers!(
    u8: "u1", u16: "u2", u32: "u4", u64: "u8", i8: "i1", i16: "i2", i32: "i4", i64: "i8", half::f16: "f2", f32: "f4",
    f64: "f8"
);

/// Reads a file with an array of numbers of type `T`, in either byte order and in C or Fortran order.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read; [`Error::ImageFile`] when it is damaged or has another type.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("array.npy");
/// use flowmask::npy;
/// npy::write(std::fs::File::create(&path)?, &[2, 3], [1_u16, 2, 3, 4, 5, 6])?;
/// assert_eq!(npy::read::<u16>(&path)?[[1, 0]], 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read<T: Number>(path: &Path) -> Result<ArrayD<T>> {
    let decode = |bytes: &[u8]| {
        let array = Array::parse(bytes)?;
        if array.kind != T::KIND {
            return Err(format!("holds numbers of type {}, not {}", array.kind, T::KIND));
        }
        array.with_shape(array.numbers(|number: T| number)?)
    };
    let read = || {
        let bytes = regular::read(path, None).map_err(|e| Error::read(path, e))?;
        decode(&bytes).map_err(|reason| Error::image_file(path, reason))
    };
    enough(|| text::path(path), read)
}

/// Writes an array of this shape in NPY format. `numbers` are in C order: the last axis runs fastest.
///
/// # Errors
/// The errors of the writer; [`io::ErrorKind::InvalidInput`] when the count of `numbers` does not match the shape, or
/// the shape has more than 64 axes.
pub fn write<T: Number>(
    mut writer: impl Write,
    shape: &[usize],
    numbers: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidInput, reason);
    if shape.len() > MAX_AXES {
        return Err(invalid(format!("{} axes are more than {MAX_AXES}", shape.len())));
    }
    writer.write_all(&preamble::<T>(shape))?;
    let mut count = 0;
    for number in numbers {
        writer.write_all(number.bytes().as_ref())?;
        count += 1;
    }
    if product(shape, 1) != Some(count) {
        return Err(invalid(format!("{count} numbers for an array of the shape {shape:?}")));
    }
    writer.flush()
}

/// Everything before the numbers, padded as NumPy does: with one or more spaces to a multiple of 64 bytes.
fn preamble<T: Number>(shape: &[usize]) -> Vec<u8> {
    let order = if size_of::<T>() == 1 { '|' } else { '<' };
    let shape = match shape {
        [length] => format!("({length},)"),
        lengths => format!("({})", lengths.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let text = format!("{{'descr': '{order}{}', 'fortran_order': False, 'shape': {shape}}}", T::KIND);
    let length = (10 + text.len() + 2).next_multiple_of(64) - 10;
    let lengths = (length as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &lengths[..], format!("{text:width$}\n", width = length - 1).as_bytes()].concat()
}

/// An array in a file, whose numbers are not decoded yet.
pub(crate) struct Array<'a> {
    /// NumPy's name of the type without the byte order: `u2`, or `O` for Python objects.
    pub(crate) kind: &'a str,
    pub(crate) big_endian: bool,
    /// Whether the first axis runs fastest.
    pub(crate) fortran: bool,
    pub(crate) shape: Vec<usize>,
    /// The bytes after the header. Their number may not match the shape: the file may be cut off or damaged.
    pub(crate) data: Cow<'a, [u8]>,
}

impl<'a> Array<'a> {
    /// Reads the header. No shape in it makes this function or the methods allocate more than the file has data for.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, String> {
        let (header, data) = header::split(file).ok_or("the NPY header is incomplete")?;
        let Header { descr, fortran, shape } = Header::parse(header)?;
        let (kind, big_endian) = header::order(descr);
        Ok(Array { kind, big_endian, fortran, shape, data: data.into() })
    }

    /// Decodes the numbers, in the order of the file. `T` must be the type that `kind` names.
    pub(crate) fn numbers<T: Number, U>(&self, convert: impl Fn(T) -> U) -> Result<Vec<U>, String> {
        let length = product(&self.shape, size_of::<T>());
        let length = length.ok_or("the array is larger than memory, the file ends before it does")?;
        let data = self.data.get(..length).ok_or("the file ends before the array does")?;
        Ok(numbers(data, self.big_endian, convert))
    }

    /// Arranges numbers in the shape and axis order of the array.
    pub(crate) fn with_shape<U>(&self, numbers: Vec<U>) -> Result<ArrayD<U>, String> {
        ArrayD::from_shape_vec(IxDyn(&self.shape).set_f(self.fortran), numbers).map_err(|e| e.to_string())
    }
}

/// Decodes the numbers in `bytes`, which follow each other without gaps. Unwinds like [`crate::memory::zeros`].
pub(crate) fn numbers<T: Number, U>(bytes: &[u8], big_endian: bool, convert: impl Fn(T) -> U) -> Vec<U> {
    let raw = bytes.chunks_exact(size_of::<T>());
    collected(raw.len(), raw.map(|raw| convert(T::read(raw, big_endian))))
}

fn product(shape: &[usize], unit: usize) -> Option<usize> {
    shape.iter().try_fold(unit, |n, &length| n.checked_mul(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    /// A file with this header, in version `version`.
    fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u32).to_le_bytes();
        let length = if version == 1 { &length[..2] } else { &length };
        [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes(), data].concat()
    }

    fn reason(file: &[u8]) -> String {
        match Array::parse(file) {
            Ok(array) => array.numbers(|number: f64| number).unwrap_err(),
            Err(reason) => reason,
        }
    }

    /// Checks that a written array can be read, also after swapping the bytes of the numbers and the order of the axes.
    fn round_trip<T: Number + PartialEq + std::fmt::Debug>(shape: &[usize], numbers: &[T]) {
        let mut written = Vec::new();
        write(&mut written, shape, numbers.iter().copied()).unwrap();
        let array = Array::parse(&written).unwrap();
        assert_eq!((array.kind, &array.shape[..], array.fortran), (T::KIND, shape, false));
        let back = array.with_shape(array.numbers(|number: T| number).unwrap()).unwrap();
        assert!(back.iter().eq(numbers), "{back:?}");
        for length in 0..written.len() {
            let whole = Array::parse(&written[..length]).is_ok_and(|array| array.numbers(|n: T| n).is_ok());
            assert!(!whole, "{length} bytes");
        }

        let data: Vec<u8> = written[written.len() - size_of_val(numbers)..]
            .chunks_exact(size_of::<T>())
            .flat_map(|bytes| bytes.iter().rev().copied())
            .collect();
        let turned = Array { big_endian: true, fortran: true, data: data.into(), ..array };
        let turned = turned.with_shape(turned.numbers(|number: T| number).unwrap()).unwrap();
        assert!(turned.t().iter().count() == numbers.len() && turned.shape() == shape);
        let mut reversed: Vec<usize> = shape.to_vec();
        reversed.reverse();
        let straight = ArrayD::from_shape_vec(IxDyn(&reversed), numbers.to_vec()).unwrap();
        assert_eq!(turned, straight.t());
    }

    proptest! {
        #[test]
        fn arrays_come_back(shape in prop::collection::vec(0..5_usize, 0..4), seed: u64) {
            let count = shape.iter().product::<usize>() as u64;
            let numbers: Vec<u64> = (0..count).map(|i| (i + seed % 97 + 1).wrapping_mul(seed | 1)).collect();
            macro_rules! each {
                ($($type:ty),*) => {
                    $(round_trip(&shape, &numbers.iter().map(|&n| n as $type).collect::<Vec<_>>());)*
                };
            }
            each!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);
            round_trip(&shape, &numbers.iter().map(|&n| half::f16::from_f32(n as f32)).collect::<Vec<_>>());
        }

        #[test]
        fn no_header_does_harm(version in 1..4_u8, text in ".*", at in 0..70_usize, byte: u8) {
            let _ = Array::parse(&file(version, &text, &[0; 8])).map(|array| array.numbers(|n: u16| n));
            let mut damaged = file(version, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 1), }", &[0; 24]);
            damaged[at] = byte;
            if let Ok(array) = Array::parse(&damaged) && let Ok(numbers) = array.numbers(|n: f64| n) {
                prop_assert!(numbers.len() <= 3);
                let _ = array.with_shape(numbers);
            }
        }
    }

    #[test]
    fn headers_as_others_write_them_are_read() {
        for (version, header) in [
            (1, "{'descr': '<u2', 'fortran_order': True, 'shape': (2, 3), }          \n"),
            (2, "{'shape': (2L, 3L), 'fortran_order': True, 'descr': '<u2'}\n"),
            (3, "{ \"descr\" : \"<u2\" ,\"fortran_order\":True,\"shape\":( 2 ,3,)}"),
        ] {
            let bytes = file(version, header, &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0, 1]);
            let array = Array::parse(&bytes).unwrap();
            let numbers = array.with_shape(array.numbers(|n: u16| n).unwrap()).unwrap();
            assert_eq!(numbers, array![[1, 3, 5], [2, 4, 256]].into_dyn(), "{header}");
        }
        assert_eq!(
            ["=i4", "i4", "|u1", ">f2", "", "é"].map(|text| header::order(text).0),
            ["i4", "i4", "u1", "f2", "", "é"]
        );
    }

    #[test]
    fn headers_that_cannot_be_right_are_refused() {
        let with = |shape: &str| {
            file(1, &format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"), &[])
        };
        for (file, why) in [
            (vec![], "incomplete"),
            (b"\x93NUMPY\x01\0\xff\xff{".to_vec(), "incomplete"),
            (b"\x93NUMPY\x02\0\xff\xff\xff\xff{".to_vec(), "incomplete"),
            (b"\x93NUMPY\x04\0\x01\0{".to_vec(), "incomplete"),
            (file(1, "", &[]), "{ is missing"),
            (file(1, "{", &[]), "' is missing"),
            (file(1, "{'descr", &[]), "within a text"),
            (file(1, "{}", &[]), "no 'descr'"),
            (file(1, "{'descr': '<f8'}", &[]), "no 'fortran_order'"),
            (file(1, "{'descr': '<f8', 'fortran_order': 1}", &[]), "False is missing"),
            (file(1, "{'descr': '<f8', 'fortran_order': True}", &[]), "no 'shape'"),
            (file(1, "{'descr': [('x', '<f8')], }", &[]), "records"),
            (file(1, "{'another': 3}", &[]), "unknown"),
            (with("(-3,)"), "not a tuple of numbers"),
            (with("(3 4)"), ") is missing"),
            (with("(,)"), "not a tuple of numbers"),
            (with("(3.5,)"), ") is missing"),
            (with("((3,),)"), "not a tuple of numbers"),
            (with("(99999999999999999999999,)"), "not a tuple of numbers"),
            (with(&"(".repeat(10_000)), "not a tuple of numbers"),
            (with(&format!("({})", "1, ".repeat(65))), "more than 64 axes"),
            (with("(4000000, 4000000)"), "ends before"),
            (with("(99999999999999, 99999999999999)"), "larger than memory"),
        ] {
            let reason = reason(&file);
            assert!(reason.contains(why), "{reason}: {why}");
        }
    }

    #[test]
    fn files_hold_what_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("array.npy");
        assert!(matches!(read::<u8>(&path), Err(Error::Read { .. })));
        write(std::fs::File::create(&path).unwrap(), &[2, 2], [1_u8, 2, 3, 4]).unwrap();
        assert_eq!(read::<u8>(&path).unwrap(), array![[1, 2], [3, 4]].into_dyn());
        let error = read::<f32>(&path).unwrap_err().to_string();
        assert!(error.contains("array.npy") && error.contains("u1, not f4"), "{error}");
        let error = write(Vec::new(), &[2, 2], [1_u8, 2, 3]).unwrap_err();
        assert!(error.to_string().contains("3 numbers"), "{error}");
    }

    #[test]
    fn a_written_file_is_laid_out_as_numpy_does() {
        let mut written = Vec::new();
        write(&mut written, &[2, 1], [1_u16, 0x203]).unwrap();
        let text = "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 1)}";
        assert_eq!(written, file(1, &format!("{text:117}\n"), &[1, 0, 3, 2]));
        for (shape, text) in [(vec![], "()}"), (vec![3], "(3,)}"), (vec![4, 30, 2], "(4, 30, 2)}")] {
            let header = String::from_utf8(preamble::<u8>(&shape)[10..].to_vec()).unwrap();
            assert!(
                header.starts_with(&format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {text} "))
            );
            assert!(header.ends_with(" \n") && (header.len() + 10).is_multiple_of(64), "{header}");
        }
    }
}
