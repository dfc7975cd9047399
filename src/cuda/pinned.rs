//! Pinned memory of the host, from and to which a GPU copies while the host continues.

use cudarc::driver::{CudaEvent, DeviceRepr, DriverError, PinnedHostSlice};

use super::{Buffer, Gpu};
use crate::Result;

/// Pinned host memory through which arrays are copied to and from a GPU. It is only allocated to grow.
#[derive(Debug, Default)]
pub struct Pinned {
    memory: Option<PinnedHostSlice<u8>>,
    /// The event that marks the end of the last upload from this memory.
    read: Option<CudaEvent>,
}

impl Pinned {
    /// Starts to copy `values` to a buffer, and returns before the copy is done.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn upload<T>(&mut self, gpu: &Gpu, values: &[T], to: &mut Buffer<T>) -> Result<()>
    where
        T: DeviceRepr + bytemuck::Pod,
    {
        let to = to.resize(gpu, values.len())?;
        let bytes: &[u8] = bytemuck::cast_slice(values);
        if bytes.is_empty() {
            return Ok(());
        }
        let pinned = self.bytes(gpu, bytes.len())?;
        pinned.copy_from_slice(bytes);
        // SAFETY: the buffer has at least this many bytes, and any bytes are valid values (`Pod`).
        let mut to = unsafe { to.transmute_mut::<u8>(bytes.len()) }.expect("the buffer has their size");
        gpu.stream().memcpy_htod(pinned, &mut to).map_err(|e| gpu.error(e))?;
        self.read = Some(gpu.stream().record_event(None).map_err(|e| gpu.error(e))?);
        Ok(())
    }

    /// Waits for the stream, then returns a copy of the values of a buffer.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when an earlier kernel or copy in the stream failed.
    pub fn download<T>(&mut self, gpu: &Gpu, from: &Buffer<T>) -> Result<Vec<T>>
    where
        T: DeviceRepr + bytemuck::Pod,
    {
        let mut values = vec![T::zeroed(); from.len()];
        self.download_to(gpu, from, &mut [&mut values])?;
        Ok(values)
    }

    /// Waits for the stream, then copies the first values of a buffer to the parts of `to`, one after the other.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when an earlier kernel or copy in the stream failed.
    ///
    /// # Panics
    /// When the buffer has fewer values than there is room for in `to`.
    pub fn download_to<T>(&mut self, gpu: &Gpu, from: &Buffer<T>, to: &mut [&mut [T]]) -> Result<()>
    where
        T: DeviceRepr + bytemuck::Pod,
    {
        let len: usize = to.iter().map(|part| part.len()).sum();
        assert!(len <= from.len(), "{len} values of {}", from.len());
        if len == 0 {
            return Ok(());
        }
        let mut pinned = self.bytes(gpu, len * size_of::<T>())?;
        // SAFETY: the buffer has at least this many bytes.
        let from = unsafe { from.get().transmute::<u8>(pinned.len()) }.expect("the buffer has their size");
        gpu.stream().memcpy_dtoh(&from, pinned).map_err(|e| gpu.error(e))?;
        gpu.synchronize()?;
        for part in to {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(part);
            let (own, rest) = pinned.split_at_mut(bytes.len());
            bytes.copy_from_slice(own);
            pinned = rest;
        }
        Ok(())
    }

    /// Returns `len` bytes of the memory, after the last upload from it is done.
    fn bytes(&mut self, gpu: &Gpu, len: usize) -> Result<&mut [u8]> {
        self.wait().map_err(|e| gpu.error(e))?;
        if self.memory.as_ref().is_none_or(|memory| memory.len() < len) {
            self.memory = None;
            // SAFETY: any bytes are valid. The memory is not write-combined, since the host would read that slowly.
            let memory = unsafe { gpu.context().alloc_pinned_with_flags(len, 0) };
            self.memory = Some(memory.map_err(|e| gpu.error(e))?);
        }
        let memory = self.memory.as_mut().expect("it was just put there");
        Ok(&mut memory.as_mut_slice().map_err(|e| gpu.error(e))?[..len])
    }

    /// Waits until the last upload from this memory is done.
    fn wait(&mut self) -> std::result::Result<(), DriverError> {
        self.read.take().map_or(Ok(()), |read| read.synchronize())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // An error of an earlier kernel is reported when its results are read.
        let _ = self.wait();
    }
}
