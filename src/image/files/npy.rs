//! Images in NPY files.

use ndarray::{ArrayD, ArrayViewD, Axis, Dimension, IxDyn};

use super::limits;
use super::samples::Decoded;
use crate::image::{Image, Pixel, Stack};
use crate::npy::{Array, Number};

/// Decodes an array of numbers or booleans with two to four axes.
pub(super) fn decode(bytes: &[u8]) -> Decoded<Stack> {
    let array = Array::parse(bytes)?;
    match array.kind {
        "b1" | "u1" => planes(&array, |v: u8| v),
        "u2" => planes(&array, |v: u16| v),
        "i1" => planes(&array, |v: i8| f32::from(v)),
        "i2" => planes(&array, |v: i16| f32::from(v)),
        "u4" => planes(&array, |v: u32| v as f32),
        "i4" => planes(&array, |v: i32| v as f32),
        "u8" => planes(&array, |v: u64| v as f32),
        "i8" => planes(&array, |v: i64| v as f32),
        "f2" => planes(&array, half::f16::to_f32),
        "f4" => planes(&array, |v: f32| v),
        "f8" => planes(&array, |v: f64| v as f32),
        kind if kind.starts_with('O') => Err("holds Python objects, not an array of numbers".into()),
        kind => Err(format!("values of type {kind} are not supported")),
    }
}

fn planes<T: Number, U: Pixel>(array: &Array, convert: impl Fn(T) -> U) -> Decoded<Stack> {
    let array: ArrayD<U> = array.with_shape(array.numbers(convert)?)?;
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

/// Decodes an array with three axes: one plane with channels, or planes with one channel each.
fn volume<T: Pixel>(array: ArrayViewD<T>) -> Decoded<Vec<Image>> {
    let shape = array.raw_dim();
    let lengths = shape.slice();
    let shortest = lengths.iter().copied().min().unwrap_or(0);
    let is_channels = |length: usize| length == shortest && length < 10;
    if is_channels(lengths[2]) && lengths[2] < lengths[0] {
        Ok(vec![image(array)?])
    } else if is_channels(lengths[0]) {
        Ok(vec![image(array.permuted_axes(IxDyn(&[1, 2, 0])))?])
    } else {
        array.outer_iter().map(|plane| image(plane.insert_axis(Axis(2)))).collect()
    }
}

fn image<T: Pixel>(view: ArrayViewD<T>) -> Decoded<Image> {
    let lengths: Vec<u64> = view.shape().iter().map(|&length| length as u64).collect();
    limits::samples(lengths[0], lengths[1], lengths[2])?;
    let view = view.into_dimensionality().map_err(|e| e.to_string())?;
    Image::from_channels(view).map_err(|e| e.to_string())
}
