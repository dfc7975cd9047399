//! The types of numbers that a pixel can have. This is the only list of them.
//!
//! `typed!` makes an enum that holds an array or a buffer of any of the types; `each!` makes a match that runs the same
//! code for every type. Elsewhere, a `match` on the type is written out only where the types are treated differently.

use ndarray::Array3;

/// Runs the same code for every type: `each!(pixels, Pixels(array) => array.dim())` with a value,
/// `each!(kind, T => size_of::<T>())` with a [`PixelType`].
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
    /// Unsigned 8-bit integers.
    U8,
    /// Unsigned 16-bit integers.
    U16,
    /// Single precision.
    F32,
}

impl PixelType {
    /// The length of one number in bytes.
    pub fn bytes(self) -> usize {
        each!(self, T => size_of::<T>())
    }
}

/// A number type that an [`Image`](crate::Image) can hold.
pub trait Pixel: Copy + sealed::Sealed {
    /// The pixels in an array, `[height, width, channels]`.
    fn wrap(array: Array3<Self>) -> Pixels;

    /// The array, if the pixels are of this type.
    fn array(pixels: Pixels) -> Option<Array3<Self>>;
}

mod sealed {
    pub trait Sealed {}
}

/// Makes an enum that has a variant with a `$holder<T>` for each type `T`.
macro_rules! typed {
    ($(#[$about:meta])* $name:ident, $holder:ident) => {
        typed!($(#[$about])* $name, $holder: {
            /// Unsigned 8-bit integers.
            U8: u8,
            /// Unsigned 16-bit integers.
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
    /// The pixels of an image, `[height, width, channels]`, with the values that the file has.
    ///
    /// Signed, 32-bit and 64-bit numbers are stored as `f32`, in which the original computes.
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
