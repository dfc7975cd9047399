//! Images in NPY files.

use ndarray::ArrayD;

use super::axes;
use super::letters::{Described, UNKNOWN, resolve};
use super::options::ReadOptions;
use super::samples::Decoded;
use crate::image::{Pixel, Stack};
use crate::npy::{Array, Number};

/// The longest single axis before rows and columns that is taken for channels, as in cellpose.
const MOST_CHANNELS: usize = 9;

/// Decodes an array of numbers or booleans. Its axes are those of the options, or guessed.
pub(super) fn decode(bytes: &[u8], options: &ReadOptions) -> Decoded<Stack> {
    let array = Array::parse(bytes)?;
    match array.kind {
        "b1" | "u1" => planes(&array, options, |v: u8| v),
        "u2" => planes(&array, options, |v: u16| v),
        "i1" => planes(&array, options, |v: i8| f32::from(v)),
        "i2" => planes(&array, options, |v: i16| f32::from(v)),
        "u4" => planes(&array, options, |v: u32| v as f32),
        "i4" => planes(&array, options, |v: i32| v as f32),
        "u8" => planes(&array, options, |v: u64| v as f32),
        "i8" => planes(&array, options, |v: i64| v as f32),
        "f2" => planes(&array, options, half::f16::to_f32),
        "f4" => planes(&array, options, |v: f32| v),
        "f8" => planes(&array, options, |v: f64| v as f32),
        kind if kind.starts_with('O') => Err("holds Python objects, not an array of numbers".into()),
        kind => Err(format!("values of type {kind} are not supported")),
    }
}

fn planes<T: Number, U: Pixel>(
    array: &Array,
    options: &ReadOptions,
    convert: impl Fn(T) -> U,
) -> Decoded<Stack> {
    let unknown = vec![UNKNOWN; array.shape.len()];
    let described = Described { shape: &array.shape, letters: &unknown, most_channels: MOST_CHANNELS };
    let mut notes = Vec::new();
    let letters = resolve(&described, options, &mut notes)?;
    let array: ArrayD<U> = array.with_shape(array.numbers(convert)?)?;
    Ok(Stack { notes, ..axes::planes(array.view(), &letters)? })
}
