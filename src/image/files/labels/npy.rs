//! Labels in NPY files, and in the dictionary of a `_seg.npy`.

use std::fmt::Display;

use half::f16;
use ndarray::{Array4, ArrayD, IxDyn};

use super::super::samples::Decoded;
use super::numbers::{EXACT_F16, EXACT_F32, EXACT_F64, floats, integers};
use crate::memory::require;
use crate::model::dictionary;
use crate::npy::{Array, Number};

/// Decodes an array of numbers, or the entry `masks` of a dictionary.
pub(super) fn decode(bytes: &[u8]) -> Decoded<Array4<u32>> {
    let array = Array::parse(bytes)?;
    if array.kind.starts_with('O') {
        return planes(dictionary::read(bytes)?.entry("masks")?);
    }
    planes(array)
}

/// Labels from an array `[Y, X]`, `[Z, Y, X]` or `[T, Z, Y, X]`. Axes of length 1 may be anywhere.
fn planes(mut array: Array) -> Decoded<Array4<u32>> {
    let shape = array.shape.clone();
    if shape.len() > 2 {
        array.shape.retain(|&length| length != 1);
        while array.shape.len() < 2 {
            array.shape.insert(0, 1);
        }
    }
    if !(2..=4).contains(&array.shape.len()) {
        return Err(format!("has the shape {shape:?}; labels are planes of rows and columns"));
    }
    let labels = numbers(&array)?;
    let labels: ArrayD<u32> = array.with_shape(labels)?;
    let missing = 4 - labels.ndim();
    let shape: Vec<usize> = [1, 1][..missing].iter().chain(labels.shape()).copied().collect();
    let labels = match labels.is_standard_layout() {
        true => labels,
        false => {
            require(4 * labels.len() as u64, None);
            labels.as_standard_layout().into_owned()
        }
    };
    let labels = labels.into_shape_with_order(IxDyn(&shape));
    labels.and_then(|labels| labels.into_dimensionality()).map_err(|e| e.to_string())
}

fn numbers(array: &Array) -> Decoded<Vec<u32>> {
    match array.kind {
        "b1" | "u1" => whole::<u8>(array),
        "u2" => whole::<u16>(array),
        "u4" => whole::<u32>(array),
        "u8" => whole::<u64>(array),
        "i1" => whole::<i8>(array),
        "i2" => whole::<i16>(array),
        "i4" => whole::<i32>(array),
        "i8" => whole::<i64>(array),
        "f2" => floats(all::<f16>(array)?, EXACT_F16),
        "f4" => floats(all::<f32>(array)?, EXACT_F32),
        "f8" => floats(all::<f64>(array)?, EXACT_F64),
        kind => Err(format!("has values of type {kind}; labels are whole numbers")),
    }
}

fn whole<T: Number + TryInto<u32> + Display>(array: &Array) -> Decoded<Vec<u32>> {
    integers(all::<T>(array)?)
}

/// All numbers of the array, which must be all of the file.
fn all<T: Number>(array: &Array) -> Decoded<Vec<T>> {
    if !array.data.len().is_multiple_of(size_of::<T>()) {
        return Err("the array ends within a number".into());
    }
    let numbers = array.numbers(|number: T| number)?;
    if size_of_val(&numbers[..]) < array.data.len() {
        return Err("the file goes on after the array".into());
    }
    Ok(numbers)
}
