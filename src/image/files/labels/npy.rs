//! Labels in NPY files, and in the dictionary of a `_seg.npy`.

use std::fmt::Display;

use super::super::letters::{Described, UNKNOWN, of_labels};
use super::super::options::ReadOptions;
use super::super::samples::Decoded;
use super::numbers::{EXACT_F16, EXACT_F32, EXACT_F64, floats, integers};
use super::stack::{LabelStack, arrange};
use crate::memory::require;
use crate::model::dictionary;
use crate::npy::{Array, Number};
use half::f16;

/// Decodes an array of numbers, or the entry `masks` of a dictionary.
pub(super) fn decode(bytes: &[u8], options: &ReadOptions) -> Decoded<LabelStack> {
    let array = Array::parse(bytes)?;
    if array.kind.starts_with('O') {
        return planes(dictionary::read(bytes)?.entry("masks")?, options);
    }
    planes(array, options)
}

/// Labels from an array `[Y, X]`, `[Z, Y, X]` or `[T, Z, Y, X]`, in which axes of length 1 may be anywhere; or with the axes that
/// the options say.
fn planes(mut array: Array, options: &ReadOptions) -> Decoded<LabelStack> {
    if !options.names_axes() {
        only_planes(&mut array.shape)?;
    }
    let unknown = vec![UNKNOWN; array.shape.len()];
    let described = Described { shape: &array.shape, letters: &unknown, most_channels: 0 };
    let letters = of_labels(&described, options)?;
    // A number has at least one byte in the file.
    let count = array.shape.iter().fold(1_usize, |n, &length| n.saturating_mul(length));
    require(4 * count.min(array.data.len()) as u64, options.memory);
    let labels = numbers(&array)?;
    // Of four axes that nothing names, the second is the depth of a volume; of others all planes are one.
    let depth = match array.shape[..] {
        [_, depth, _, _] => depth,
        _ => array.shape.iter().rev().skip(2).product(),
    };
    arrange(array.with_shape(labels)?, &letters, depth)
}

/// Leaves out axes of length 1, as long as there are two others.
fn only_planes(shape: &mut Vec<usize>) -> Decoded<()> {
    let all = shape.clone();
    if shape.len() > 2 {
        shape.retain(|&length| length != 1);
        while shape.len() < 2 {
            shape.insert(0, 1);
        }
    }
    match shape.len() {
        2..=4 => Ok(()),
        _ => Err(format!("has the shape {all:?}; labels are planes of rows and columns")),
    }
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
