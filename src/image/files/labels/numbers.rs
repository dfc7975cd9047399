//! Numbers of any type as labels, if they are whole numbers from 0 to `u32::MAX`.

use std::fmt::Display;

use super::super::samples::Decoded;
use crate::memory::room;

/// Half and single precision hold every whole number below these. From there on two labels may have become one.
pub(crate) const EXACT_F16: f64 = (1 << 11) as f64;
pub(crate) const EXACT_F32: f64 = (1 << 24) as f64;
/// Double precision holds every label.
pub(crate) const EXACT_F64: f64 = (1_u64 << 32) as f64;

/// Labels from integers.
pub(crate) fn integers<T: Copy + TryInto<u32> + Display>(
    numbers: impl IntoIterator<Item = T>,
) -> Decoded<Vec<u32>> {
    let label = |number: T| {
        let not_a_label = |_| format!("has the value {number}, which is no label from 0 to {}", u32::MAX);
        number.try_into().map_err(not_a_label)
    };
    all(numbers, label)
}

/// Labels from floating point numbers, of a type that is exact below `exact`.
pub(crate) fn floats<T: Into<f64>>(numbers: impl IntoIterator<Item = T>, exact: f64) -> Decoded<Vec<u32>> {
    let label = |number: T| {
        let number = number.into();
        match (0.0..exact).contains(&number) && number.fract() == 0.0 {
            true => Ok(number as u32),
            false => {
                Err(format!("has the value {number}, which is no whole number from 0 to {}", exact - 1.0))
            }
        }
    };
    all(numbers, label)
}

fn all<T>(numbers: impl IntoIterator<Item = T>, label: impl Fn(T) -> Decoded<u32>) -> Decoded<Vec<u32>> {
    let numbers = numbers.into_iter();
    // An array that grows would take twice as much, and end the program where there is too little.
    let mut labels = room(numbers.size_hint().0);
    for number in numbers {
        labels.push(label(number)?);
    }
    Ok(labels)
}
