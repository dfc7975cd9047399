//! Dictionaries that `np.save` pickles into an NPY file, such as size models and `_seg.npy` of the original.

mod write;

use std::borrow::Cow;

pub(crate) use write::Writer;

use super::pickle::{self, Pickle, Value};
use crate::npy::Array;

const ARRAY: &[&str] = &["numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"];
const SCALAR: &[&str] = &["numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"];
const DTYPE: &str = "numpy.dtype";
/// The function by which Python 3 writes bytes in protocol 2.
const ENCODE: &str = "_codecs.encode";
/// The globals that a file may refer to. The last three are in a `_seg.npy` of the original's GUI, and are ignored.
const ALLOWED: &[&str] = &[
    ARRAY[0],
    ARRAY[1],
    SCALAR[0],
    SCALAR[1],
    DTYPE,
    ENCODE,
    "numpy.ndarray",
    "collections.OrderedDict",
    "datetime.datetime",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
];

/// A dictionary of numbers and arrays of numbers.
pub(crate) struct Dictionary<'a>(Pickle<'a>, Value<'a>);

/// Reads the file of `np.save(file, dictionary)`.
///
/// # Errors
/// A sentence about what is wrong with the file.
pub(crate) fn read(bytes: &[u8]) -> pickle::Result<Dictionary<'_>> {
    let array = Array::parse(bytes)?;
    if array.kind != "O" || !array.shape.is_empty() {
        return Err("is an npy file, but not of a dictionary".into());
    }
    let mut data = &bytes[bytes.len() - array.data.len()..];
    let pickle = pickle::read(&mut data, ALLOWED)?;
    // The file is an array without axes, of one object. Its state ends with the list of its objects.
    let items = pickle.call(pickle.root, ARRAY).and_then(|(_, _, state)| pickle.list(state)?.last().copied());
    match items.and_then(|items| pickle.list(items)) {
        Some(&[root]) if pickle.dict(root).is_some() => Ok(Dictionary(pickle, root)),
        _ => Err("is an npy file, but not of a dictionary".into()),
    }
}

impl<'a> Dictionary<'a> {
    /// The numbers of an entry, in the order of the file. A single number gives a list of one.
    ///
    /// # Errors
    /// A sentence saying that the entry is missing, or has another type.
    pub(super) fn numbers(&self, key: &str) -> pickle::Result<Vec<f64>> {
        let value = self.0.get(self.1, key).ok_or_else(|| format!("has no entry {key}"))?;
        match value {
            Value::Float(number) => return Ok(vec![number]),
            Value::Int(number) => return Ok(vec![number as f64]),
            _ => {}
        }
        let array = self.raw(value);
        match array.as_ref().map(|array| (array, array.kind)) {
            Some((array, "f4")) => array.numbers(|number: f32| number.into()),
            Some((array, "f8")) => array.numbers(|number: f64| number),
            _ => Err(format!("has the entry {key}, but it is not of f4 or f8 numbers")),
        }
    }

    /// The array of an entry.
    ///
    /// # Errors
    /// A sentence saying that the entry is missing, or is not a little-endian array of numbers.
    #[cfg(feature = "files")]
    pub(crate) fn entry(&self, key: &str) -> pickle::Result<Array<'a>> {
        let value = self.0.get(self.1, key).ok_or_else(|| format!("has no entry {key}"))?;
        self.raw(value).ok_or_else(|| format!("has the entry {key}, but it is not an array of numbers"))
    }

    /// An array; a scalar of NumPy becomes an array without axes.
    fn raw(&self, value: Value<'a>) -> Option<Array<'a>> {
        let (shape, dtype, fortran, data) = match self.0.call(value, SCALAR) {
            Some((_, &[dtype, data], _)) => (vec![], dtype, false, data),
            _ => match *self.0.list(self.0.call(value, ARRAY)?.2)? {
                [_version, shape, dtype, fortran, data] => {
                    (self.shape(shape)?, dtype, fortran == Value::Bool(true), data)
                }
                _ => return None,
            },
        };
        let (_, arguments, state) = self.0.call(dtype, &[DTYPE])?;
        let &Value::Str(kind) = arguments.first()? else { return None };
        // "|" is the byte order of single bytes.
        if !matches!(self.0.list(state)?.get(1)?, Value::Str("<" | "=" | "|")) {
            return None;
        }
        Some(Array { kind, big_endian: false, fortran, shape, data: self.bytes(data)? })
    }

    fn shape(&self, value: Value<'a>) -> Option<Vec<usize>> {
        let length = |length: &Value| match *length {
            Value::Int(length) => usize::try_from(length).ok(),
            _ => None,
        };
        self.0.list(value)?.iter().map(length).collect()
    }

    fn bytes(&self, value: Value<'a>) -> Option<Cow<'a, [u8]>> {
        if let Value::Bytes(bytes) = value {
            return Some(bytes.into());
        }
        match self.0.call(value, &[ENCODE])?.1 {
            // In Latin-1, each byte is the code point of the same number.
            [Value::Str(text), Value::Str("latin1")] => text.chars().map(|c| u8::try_from(c).ok()).collect(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_pickles_and_numpy_scalars_are_read() {
        let file = read(include_bytes!("../../tests/data/models/size_protocol2.npy")).unwrap();
        assert_eq!(file.numbers("A").unwrap(), [0.5, -0.25]);
        assert_eq!(file.numbers("smean").unwrap(), [1.0, 200.5]);
        assert_eq!(file.numbers("diam_mean").unwrap(), [30.0]);
        assert_eq!(file.numbers("ymean").unwrap(), [-0.125]);
        assert!(file.numbers("B").unwrap_err().contains("no entry B"));
    }
}
