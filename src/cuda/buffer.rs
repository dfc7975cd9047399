//! Memory of a GPU that grows when it has to and stays.

use cudarc::driver::{CudaSlice, DeviceRepr, ValidAsZeroBits};

use super::Gpu;
use crate::Result;

/// An array in a GPU's memory. It is allocated once and again only to grow, so that a run on images of sizes that were
/// seen before allocates nothing.
#[derive(Debug)]
pub struct Buffer<T> {
    memory: Option<CudaSlice<T>>,
    len: usize,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer { memory: None, len: 0 }
    }
}

impl<T: DeviceRepr> Buffer<T> {
    /// Nothing.
    pub const fn new() -> Self {
        Buffer { memory: None, len: 0 }
    }

    /// A copy of `values`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn of(gpu: &Gpu, values: &[T]) -> Result<Self> {
        let mut buffer = Buffer::new();
        buffer.upload(gpu, values)?;
        Ok(buffer)
    }

    /// Makes room for `len` values, whose content is undefined, and returns the memory, which may be longer.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn resize(&mut self, gpu: &Gpu, len: usize) -> Result<&mut CudaSlice<T>> {
        let enough = self.memory.as_ref().is_some_and(|memory| memory.len() >= len.max(1));
        let memory = match self.memory.take().filter(|_| enough) {
            Some(memory) => memory,
            // SAFETY: memory of any content; what reads it writes it first.
            None => unsafe { gpu.stream().alloc(len.max(1)) }.map_err(|e| gpu.error(e))?,
        };
        self.len = len;
        Ok(self.memory.insert(memory))
    }

    /// Makes room for `len` values, sets them to zero and returns the memory, which may be longer.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn zeros(&mut self, gpu: &Gpu, len: usize) -> Result<&mut CudaSlice<T>>
    where
        T: ValidAsZeroBits,
    {
        let memory = self.resize(gpu, len)?;
        if len > 0 {
            gpu.stream().memset_zeros(&mut memory.slice_mut(..len)).map_err(|e| gpu.error(e))?;
        }
        Ok(memory)
    }

    /// Takes a copy of `values`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when there is not enough memory.
    pub fn upload(&mut self, gpu: &Gpu, values: &[T]) -> Result<()> {
        self.resize(gpu, values.len())?;
        match &mut self.memory {
            Some(memory) if !values.is_empty() => gpu
                .stream()
                .memcpy_htod(values, &mut memory.slice_mut(..values.len()))
                .map_err(|e| gpu.error(e)),
            _ => Ok(()),
        }
    }

    /// A copy of the values on the host, once all work before is done.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when work before failed.
    pub fn download(&self, gpu: &Gpu) -> Result<Vec<T>>
    where
        T: Clone + Default,
    {
        let mut values = vec![T::default(); self.len];
        self.download_to(gpu, &mut values)?;
        Ok(values)
    }

    /// Copies the first values to `values`, once all work before is done.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when work before failed.
    pub fn download_to(&self, gpu: &Gpu, values: &mut [T]) -> Result<()> {
        if let (Some(memory), false) = (&self.memory, values.is_empty()) {
            gpu.stream().memcpy_dtoh(&memory.slice(..values.len()), values).map_err(|e| gpu.error(e))?;
        }
        gpu.synchronize()
    }

    /// Copies `len` values from `first` on to those of another buffer from `to_first` on.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    ///
    /// # Panics
    /// When either has fewer values.
    pub fn copy_to(&self, gpu: &Gpu, first: usize, to: &mut Self, to_first: usize, len: usize) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        let from = self.get().slice(first..first + len);
        gpu.stream()
            .memcpy_dtod(&from, &mut to.get_mut().slice_mut(to_first..to_first + len))
            .map_err(|e| gpu.error(e))
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The memory, as an argument of a kernel. It may be longer than the buffer.
    ///
    /// # Panics
    /// Before the first [`Buffer::resize`].
    pub fn get(&self) -> &CudaSlice<T> {
        self.memory.as_ref().expect("a buffer that was given a size")
    }

    /// The memory, as an argument of a kernel that writes it.
    ///
    /// # Panics
    /// Before the first [`Buffer::resize`].
    pub fn get_mut(&mut self) -> &mut CudaSlice<T> {
        self.memory.as_mut().expect("a buffer that was given a size")
    }
}
