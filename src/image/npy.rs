//! NPY files of NumPy (format versions 1 to 3).
//!
//! The header is read here and not by `ndarray-npy`, which wants the type in advance and parses nested Python
//! literals to any depth.

use ndarray::{ArrayD, ArrayViewD, Axis, Dimension, IxDyn, ShapeBuilder};

use super::samples::Decoded;
use super::{Image, Pixel, Stack, size};

/// Decodes an array of numbers or truth values with two to four axes.
pub(super) fn decode(bytes: &[u8]) -> Decoded<Stack> {
    let (header, data) = split(bytes).ok_or("the NPY header is incomplete")?;
    let header = Header::parse(header)?;
    let n = header.shape.iter().try_fold(1_u64, |n, &side| n.checked_mul(side as u64));
    let n = n.and_then(|n| usize::try_from(n).ok()).ok_or("the array is larger than memory")?;
    macro_rules! numbers {
        ($type:ty, $to:ty, $convert:expr) => {{
            const SIZE: usize = size_of::<$type>();
            let data = data.get(..n.checked_mul(SIZE).ok_or("the array is larger than memory")?);
            let data = data.ok_or("the file ends before the array does")?;
            let value = |b: &[u8]| {
                let mut raw = [0; SIZE];
                raw.copy_from_slice(b);
                let number =
                    if header.big_endian { <$type>::from_be_bytes(raw) } else { <$type>::from_le_bytes(raw) };
                $convert(number)
            };
            let values: Vec<$to> = data.chunks_exact(SIZE).map(value).collect();
            planes(&header, values)
        }};
    }
    match header.kind {
        "b1" | "u1" => numbers!(u8, u8, |v| v),
        "u2" => numbers!(u16, u16, |v| v),
        "i1" => numbers!(i8, f32, f32::from),
        "i2" => numbers!(i16, f32, f32::from),
        "u4" => numbers!(u32, f32, |v| v as f32),
        "i4" => numbers!(i32, f32, |v| v as f32),
        "u8" => numbers!(u64, f32, |v| v as f32),
        "i8" => numbers!(i64, f32, |v| v as f32),
        "f2" => numbers!(half::f16, f32, half::f16::to_f32),
        "f4" => numbers!(f32, f32, |v| v),
        "f8" => numbers!(f64, f32, |v| v as f32),
        kind if kind.starts_with('O') => Err("holds Python objects, not an array of numbers".into()),
        kind => Err(format!("values of type {kind} are not supported")),
    }
}

/// The header's text and the data after it.
pub(super) fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (start, length) = match *bytes.get(6)? {
        1 => (10, usize::from(u16::from_le_bytes(*bytes.get(8..)?.first_chunk()?))),
        2 | 3 => (12, u32::from_le_bytes(*bytes.get(8..)?.first_chunk()?) as usize),
        _ => return None,
    };
    let (header, data) = bytes.get(start..)?.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// What `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` says.
pub(super) struct Header<'a> {
    /// The type without its byte order.
    pub(super) kind: &'a str,
    pub(super) big_endian: bool,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

impl<'a> Header<'a> {
    pub(super) fn parse(text: &'a str) -> Decoded<Self> {
        let value = |key: &str| {
            let (_, rest) = text.split_once(key)?;
            Some(rest.trim_start().strip_prefix(':')?.trim_start())
        };
        let describes = |key: &str| value(key).ok_or(format!("the NPY header has no {key}"));
        let kind = describes("'descr'")?.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let kind = kind.ok_or("arrays of records are not supported")?.0;
        let shape = describes("'shape'")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let shape = shape.ok_or("the NPY header has no shape")?.0;
        let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
        Ok(Header {
            kind: kind.trim_start_matches(['<', '>', '|', '=']),
            big_endian: kind.starts_with('>'),
            fortran: describes("'fortran_order'")?.starts_with("True"),
            shape: sides.map(str::parse).collect::<Result<_, _>>().map_err(|_| "the shape is not numbers")?,
        })
    }
}

fn planes<T: Pixel>(header: &Header, values: Vec<T>) -> Decoded<Stack> {
    let shape = IxDyn(&header.shape).set_f(header.fortran);
    let array = ArrayD::from_shape_vec(shape, values).map_err(|e| e.to_string())?;
    let planes = match array.ndim() {
        2 => vec![image(array.view().insert_axis(Axis(2)))?],
        3 => volume(array.view())?,
        4 => {
            let volumes = array.outer_iter().map(volume).collect::<Decoded<Vec<_>>>()?;
            volumes.into_iter().flatten().collect()
        }
        n => return Err(format!("an array with {n} axes is not an image (2, 3 and 4 are read)")),
    };
    if planes.is_empty() {
        return Err("the array has no values".into());
    }
    Ok(Stack { planes })
}

/// Three axes: one plane with channels, or planes of one channel.
fn volume<T: Pixel>(array: ArrayViewD<T>) -> Decoded<Vec<Image>> {
    let shape = array.raw_dim();
    let sides = shape.slice();
    let smallest = sides.iter().copied().min().unwrap_or(0);
    let is_channels = |side: usize| side == smallest && side < 10;
    if is_channels(sides[2]) && sides[2] < sides[0] {
        Ok(vec![image(array)?])
    } else if is_channels(sides[0]) {
        Ok(vec![image(array.permuted_axes(IxDyn(&[1, 2, 0])))?])
    } else {
        array.outer_iter().map(|plane| image(plane.insert_axis(Axis(2)))).collect()
    }
}

fn image<T: Pixel>(view: ArrayViewD<T>) -> Decoded<Image> {
    let sides: Vec<u64> = view.shape().iter().map(|&side| side as u64).collect();
    size::samples(sides[0], sides[1], sides[2])?;
    let view = view.into_dimensionality().map_err(|e| e.to_string())?;
    Image::from_channels(view).map_err(|e| e.to_string())
}
