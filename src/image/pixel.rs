//! The types of numbers that a pixel can have: the one list of them.
//!
//! `typed!` makes an enum that holds an array or a buffer of any of them, `each!` a match with the same code for all. A
//! match that is written out elsewhere treats the types differently.

use ndarray::Array3;

/// The same code whatever the type: `each!(pixels, Pixels(array) => array.dim())`, and for a type without a value
/// `each!(kind, T => size_of::<T>())`.
macro_rules! each {
    ($kind:expr, $type:ident => $code:expr) => {
        match $kind {
            $crate::PixelType::U8 => {
                type $type = u8;
                $code
            }
            $crate::PixelType::U16 => {
                type $type = u16;
                $code
            }
            $crate::PixelType::F32 => {
                type $type = f32;
                $code
            }
        }
    };
    ($value:expr, $name:ident($inner:ident) => $code:expr) => {
        match $value {
            $name::U8($inner) => $code,
            $name::U16($inner) => $code,
            $name::F32($inner) => $code,
        }
    };
}

/// The type of a pixel's numbers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelType {
    /// 8-bit integers.
    U8,
    /// 16-bit integers.
    U16,
    /// Single precision.
    F32,
}

impl PixelType {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        each!(self, T => size_of::<T>())
    }
}

/// A number type that an [`Image`](crate::Image) can hold.
pub trait Pixel: Copy + sealed::Sealed {
    /// Wraps an array of this type, `[height, width, channels]`.
    fn wrap(array: Array3<Self>) -> Pixels;

    /// The array, when the pixels are of this type.
    fn array(pixels: Pixels) -> Option<Array3<Self>>;
}

mod sealed {
    pub trait Sealed {}
}

/// An enum with a `$holder` of each type of number.
macro_rules! typed {
    ($(#[$about:meta])* $name:ident, $holder:ident) => {
        typed!($(#[$about])* $name, $holder: {
            /// 8-bit integers.
            U8: u8,
            /// 16-bit integers.
            U16: u16,
            /// Single precision.
            F32: f32,
        });
    };
    ($(#[$about:meta])* $name:ident, $holder:ident: { $($(#[$what:meta])* $variant:ident: $type:ty,)* }) => {
        $(#[$about])*
        pub enum $name {
            $($(#[$what])* $variant($holder<$type>),)*
        }

        impl $name {
            /// The type of the numbers.
            pub fn kind(&self) -> $crate::PixelType {
                match self {
                    $($name::$variant(_) => $crate::PixelType::$variant,)*
                }
            }
        }

        $(impl From<$holder<$type>> for $name {
            fn from(numbers: $holder<$type>) -> Self {
                $name::$variant(numbers)
            }
        })*
    };
}

pub(crate) use each;
#[cfg(feature = "cuda")]
pub(crate) use typed;

typed! {
    /// Pixels as they were stored, `[height, width, channels]`.
    ///
    /// Signed, 32-bit and 64-bit numbers are kept as `f32`, which is what the original computes with.
    #[non_exhaustive]
    #[derive(Clone, Debug, PartialEq)]
    Pixels, Array3
}

impl Pixels {
    /// The numbers as `f32`, `[height, width, channels]`.
    pub fn to_f32(&self) -> Array3<f32> {
        each!(self, Pixels(array) => array.mapv(f32::from))
    }
}

macro_rules! pixel {
    ($($type:ty: $variant:ident),*) => {$(
        impl sealed::Sealed for $type {}
        impl Pixel for $type {

            fn wrap(array: Array3<Self>) -> Pixels {
                Pixels::$variant(array)
            }

            fn array(pixels: Pixels) -> Option<Array3<Self>> {
                match pixels {
                    Pixels::$variant(array) => Some(array),
                    _ => None,
                }
            }
        }
    )*};
}
pixel!(u8: U8, u16: U16, f32: F32);
