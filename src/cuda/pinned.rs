//! Memory of the host that a GPU copies from and to by itself, while both go on.

use cudarc::driver::{CudaEvent, DeviceRepr, DriverError, PinnedHostSlice};

use super::{Buffer, Gpu};
use crate::Result;

/// A place for the bytes of an image on their way. It grows when it has to and stays.
#[derive(Debug, Default)]
pub struct Pinned {
    memory: Option<PinnedHostSlice<u8>>,
    /// When the last copy from it is done.
    read: Option<CudaEvent>,
}

impl Pinned {
    /// Starts the copy of `values` to a buffer, and returns before it is done.
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
        let place = self.place(gpu, bytes.len())?;
        place.copy_from_slice(bytes);
        // SAFETY: as many bytes as the values have, which may be any.
        let mut to = unsafe { to.transmute_mut::<u8>(bytes.len()) }.expect("the buffer has their size");
        gpu.stream().memcpy_htod(place, &mut to).map_err(|e| gpu.error(e))?;
        self.read = Some(gpu.stream().record_event(None).map_err(|e| gpu.error(e))?);
        Ok(())
    }

    /// A copy of the values of a buffer, once all work before is done.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when work before failed.
    pub fn download<T>(&mut self, gpu: &Gpu, from: &Buffer<T>) -> Result<Vec<T>>
    where
        T: DeviceRepr + bytemuck::Pod,
    {
        let mut values = vec![T::zeroed(); from.len()];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
        if !bytes.is_empty() {
            let place = self.place(gpu, bytes.len())?;
            // SAFETY: as many bytes as the values have.
            let from = unsafe { from.get().transmute::<u8>(bytes.len()) }.expect("the buffer has their size");
            gpu.stream().memcpy_dtoh(&from, place).map_err(|e| gpu.error(e))?;
            gpu.synchronize()?;
            bytes.copy_from_slice(place);
        }
        Ok(values)
    }

    /// `len` bytes, once nothing reads them any more.
    fn place(&mut self, gpu: &Gpu, len: usize) -> Result<&mut [u8]> {
        self.wait().map_err(|e| gpu.error(e))?;
        if self.memory.as_ref().is_none_or(|memory| memory.len() < len) {
            self.memory = None;
            // SAFETY: bytes of any content. Not write-combined, which would be slow to read.
            let memory = unsafe { gpu.context().alloc_pinned_with_flags(len, 0) };
            self.memory = Some(memory.map_err(|e| gpu.error(e))?);
        }
        let memory = self.memory.as_mut().expect("it was just put there");
        Ok(&mut memory.as_mut_slice().map_err(|e| gpu.error(e))?[..len])
    }

    /// Waits until the last copy from it is done.
    fn wait(&mut self) -> std::result::Result<(), DriverError> {
        self.read.take().map_or(Ok(()), |read| read.synchronize())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // An error of the work before is seen by whoever asks for its results.
        let _ = self.wait();
    }
}
