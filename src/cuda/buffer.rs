//! Arrays in the memory of a GPU, which are reused from image to image.

use cudarc::driver::{CudaSlice, DeviceRepr, ValidAsZeroBits};

use super::Gpu;
use crate::Result;

/// An array in a GPU's memory. Memory is only allocated when the array has to grow, so nothing is allocated for an
/// image that is no larger than an earlier one.
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
    /// An empty array. It has no memory before the first [`Buffer::resize`].
    pub const fn new() -> Self {
        Buffer { memory: None, len: 0 }
    }

    /// Allocates an array and copies `values` into it.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) when there is not enough memory.
    pub fn of(gpu: &Gpu, values: &[T]) -> Result<Self> {
        let mut buffer = Buffer::new();
        buffer.upload(gpu, values)?;
        Ok(buffer)
    }

    /// Sets the length to `len` values and returns the memory, which may be longer. The values are undefined.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) when there is not enough memory.
    pub fn resize(&mut self, gpu: &Gpu, len: usize) -> Result<&mut CudaSlice<T>> {
        let enough = self.memory.as_ref().is_some_and(|memory| memory.len() >= len.max(1));
        let memory = match self.memory.take().filter(|_| enough) {
            Some(memory) => memory,
            // SAFETY: the memory is uninitialised, and its users write it before they read it.
            None => unsafe { gpu.stream().alloc(len.max(1)) }
                .map_err(|e| gpu.allocation_error(e, len.saturating_mul(size_of::<T>())))?,
        };
        self.len = len;
        Ok(self.memory.insert(memory))
    }

    /// Sets the length to `len` values, all zero, and returns the memory, which may be longer.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) when there is not enough memory.
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

    /// Copies `values` from the host; the buffer gets their length. The caller may drop `values` at once.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) when there is not enough memory.
    pub fn upload(&mut self, gpu: &Gpu, values: &[T]) -> Result<()> {
        self.resize(gpu, values.len())?;
        match &mut self.memory {
            Some(memory) if !values.is_empty() => {
                let mut to = memory.slice_mut(..values.len());
                gpu.stream().memcpy_htod(values, &mut to).map_err(|e| gpu.error(e))?;
                gpu.wait_for_source()
            }
            _ => Ok(()),
        }
    }

    /// Waits for the stream, then returns a copy of the values on the host.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when an earlier kernel or copy in the stream failed.
    pub fn download(&self, gpu: &Gpu) -> Result<Vec<T>>
    where
        T: Clone + Default,
    {
        let mut values = vec![T::default(); self.len];
        self.download_to(gpu, &mut values)?;
        Ok(values)
    }

    /// Copies as many of the first values as `values` has room for to the host, and waits for the stream.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when an earlier kernel or copy in the stream failed.
    pub fn download_to(&self, gpu: &Gpu, values: &mut [T]) -> Result<()> {
        if let (Some(memory), false) = (&self.memory, values.is_empty()) {
            gpu.stream().memcpy_dtoh(&memory.slice(..values.len()), values).map_err(|e| gpu.error(e))?;
        }
        gpu.synchronize()
    }

    /// Copies `len` values, starting at index `first`, into another buffer, starting at its index `to_first`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    ///
    /// # Panics
    /// When one of the buffers has too few values.
    pub fn copy_to(&self, gpu: &Gpu, first: usize, to: &mut Self, to_first: usize, len: usize) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        let from = self.get().slice(first..first + len);
        gpu.stream()
            .memcpy_dtod(&from, &mut to.get_mut().slice_mut(to_first..to_first + len))
            .map_err(|e| gpu.error(e))
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The bytes of the values.
    pub fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The memory, as the argument of a kernel that reads it. It may be longer than the buffer.
    ///
    /// # Panics
    /// Before the first [`Buffer::resize`].
    pub fn get(&self) -> &CudaSlice<T> {
        self.memory.as_ref().expect("the buffer was resized before")
    }

    /// The memory, as an argument of a kernel that writes it.
    ///
    /// # Panics
    /// Before the first [`Buffer::resize`].
    pub fn get_mut(&mut self) -> &mut CudaSlice<T> {
        self.memory.as_mut().expect("the buffer was resized before")
    }
}
