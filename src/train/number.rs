//! The numbers that training computes with.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul};

use super::conv::Convolve;

/// Single precision, with which networks are trained, or double precision, with which that training is judged: there
/// the gradients are those of the original in double precision but for a few of the last digits.
pub trait Number:
    Convolve
    + Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Mul<Output = Self>
    + AddAssign
    + Into<f64>
    + Send
    + Sync
    + 'static
{
    /// Rounds a number in double precision.
    fn round(value: f64) -> Self;
}

impl Number for f32 {
    fn round(value: f64) -> Self {
        value as f32
    }
}

impl Number for f64 {
    fn round(value: f64) -> Self {
        value
    }
}
