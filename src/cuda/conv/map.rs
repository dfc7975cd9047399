//! Arrays of values in the precision of the network.

use cudarc::driver::DeviceRepr;

use super::super::kernels::{Address, Half};
use super::super::{Buffer, Gpu};
use crate::{Precision, Result};

/// An array in the memory of a GPU, in the precision of the network: a feature map, `[tile, height, width, channels]`,
/// or weights.
#[derive(Debug)]
pub enum Map {
    /// Half precision.
    F16(Buffer<Half>),
    /// Single precision.
    F32(Buffer<f32>),
}

impl Map {
    /// Allocates `len` values, which are undefined.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn new(gpu: &Gpu, precision: Precision, len: usize) -> Result<Self> {
        let mut map = match precision {
            Precision::F16 => Map::F16(Buffer::new()),
            Precision::F32 => Map::F32(Buffer::new()),
        };
        match &mut map {
            Map::F16(buffer) => buffer.resize(gpu, len).map(|_| ())?,
            Map::F32(buffer) => buffer.resize(gpu, len).map(|_| ())?,
        }
        Ok(map)
    }

    /// Allocates an array and copies `values` into it, rounded to the precision.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn of(gpu: &Gpu, precision: Precision, values: &[f32]) -> Result<Self> {
        let halves = || values.iter().map(|&v| Half::of(v)).collect::<Vec<_>>();
        Ok(match precision {
            Precision::F16 => Map::F16(Buffer::of(gpu, &halves())?),
            Precision::F32 => Map::F32(Buffer::of(gpu, values)?),
        })
    }

    /// Waits for the stream, then returns a copy of the values on the host.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when an earlier kernel or copy in the stream failed.
    pub fn download(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        Ok(match self {
            Map::F16(buffer) => buffer.download(gpu)?.into_iter().map(Half::to_f32).collect(),
            Map::F32(buffer) => buffer.download(gpu)?,
        })
    }

    /// The precision of the values.
    pub fn precision(&self) -> Precision {
        match self {
            Map::F16(_) => Precision::F16,
            Map::F32(_) => Precision::F32,
        }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Map::F16(buffer) => buffer.len(),
            Map::F32(buffer) => buffer.len(),
        }
    }

    /// The bytes of the values.
    pub fn bytes(&self) -> usize {
        match self {
            Map::F16(buffer) => buffer.bytes(),
            Map::F32(buffer) => buffer.bytes(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The address of the value with index `at`. `T` is the type of the values.
    pub(in crate::cuda) fn address<T: Value>(&self, gpu: &Gpu, at: usize) -> Address<T> {
        let buffer = T::values(self).expect("a map of the kernel's precision");
        Address::of(gpu, buffer, at)
    }
}

/// The type of the values of a map.
pub(in crate::cuda) trait Value: DeviceRepr + Sized {
    /// The values of a map, if they have this type.
    fn values(map: &Map) -> Option<&Buffer<Self>>;
}

impl Value for Half {
    fn values(map: &Map) -> Option<&Buffer<Half>> {
        match map {
            Map::F16(buffer) => Some(buffer),
            Map::F32(_) => None,
        }
    }
}

impl Value for f32 {
    fn values(map: &Map) -> Option<&Buffer<f32>> {
        match map {
            Map::F16(_) => None,
            Map::F32(buffer) => Some(buffer),
        }
    }
}

/// The bytes of a value of a map.
pub(in crate::cuda) fn value_bytes(precision: Precision) -> usize {
    match precision {
        Precision::F16 => 2,
        Precision::F32 => 4,
    }
}
