//! Values in the memory of the GPU.

use cudarc::driver::DeviceRepr;

use super::super::kernels::{Address, Half};
use super::super::{Buffer, Gpu};
use crate::{Precision, Result};

/// Values in the memory of the GPU, in the precision of the network: a feature map `[tile, height, width, channels]`, or
/// weights.
#[derive(Debug)]
pub enum Map {
    /// Half precision.
    F16(Buffer<Half>),
    /// Single precision.
    F32(Buffer<f32>),
}

impl Map {
    /// Room for `len` values, whose content is undefined.
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

    /// A copy of `values`, rounded to the precision.
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

    /// A copy of the values on the host, once all work before is done.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when work before failed.
    pub fn download(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        Ok(match self {
            Map::F16(buffer) => buffer.download(gpu)?.into_iter().map(Half::to_f32).collect(),
            Map::F32(buffer) => buffer.download(gpu)?,
        })
    }

    /// Of the values.
    pub fn precision(&self) -> Precision {
        match self {
            Map::F16(_) => Precision::F16,
            Map::F32(_) => Precision::F32,
        }
    }

    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Map::F16(buffer) => buffer.len(),
            Map::F32(buffer) => buffer.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The address of value `at`. The values are `T`.
    pub(in crate::cuda) fn address<T: Value>(&self, gpu: &Gpu, at: usize) -> Address<T> {
        let buffer = T::values(self).expect("a map of the kernel's precision");
        Address::of(gpu, buffer, at)
    }
}

/// A value of a map.
pub(in crate::cuda) trait Value: DeviceRepr + Sized {
    /// Those of a map that has such.
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

/// Bytes of a value in a map.
pub(in crate::cuda) fn value_bytes(precision: Precision) -> usize {
    match precision {
        Precision::F16 => 2,
        Precision::F32 => 4,
    }
}
