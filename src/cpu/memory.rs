//! Memory for feature maps and weights.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::OutOfMemory;

/// The number of bytes from which large pages are requested: two pages of their usual size.
const LARGE: usize = 4 << 20;

/// An array of floats, zero at first. It begins at a page, so that no vector crosses a cache line.
///
/// Long arrays lie in large pages where the system has them. A tile reads 100 MB of weights: in pages of 4 KB these
/// would overflow the TLB, and the first write to each page would be a page fault.
#[derive(Debug, Default)]
pub struct Floats(Option<MmapMut>);

impl Floats {
    /// An array of `length` zeros. Unwinds with [`OutOfMemory`] when there is too little memory.
    pub fn zeros(length: usize) -> Self {
        if length == 0 {
            return Floats(None);
        }
        let bytes = length.saturating_mul(size_of::<f32>());
        let Ok(map) = MmapMut::map_anon(bytes) else { OutOfMemory::unwind(bytes) };
        #[cfg(target_os = "linux")]
        if bytes >= LARGE {
            // The result may be ignored: without large pages everything works, only slower.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Floats(Some(map))
    }

    /// Makes room for at least `length` floats. If the array was shorter, it becomes zeros.
    pub fn grow(&mut self, length: usize) {
        if self.len() < length {
            *self = Floats::zeros(length);
        }
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_deref().map_or(&[], bytemuck::cast_slice)
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.0.as_deref_mut().map_or(&mut [], bytemuck::cast_slice_mut)
    }
}

impl Clone for Floats {
    fn clone(&self) -> Self {
        let mut copy = Floats::zeros(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_zeros_that_begin_at_a_cache_line() {
        for length in [0, 1, 17, LARGE / 4 + 1] {
            let mut floats = Floats::zeros(length);
            assert_eq!(floats.len(), length);
            assert!(floats.iter().all(|v| *v == 0.0));
            assert_eq!(floats.as_ptr() as usize % 64 * length.min(1), 0);
            floats.iter_mut().for_each(|v| *v = 2.0);
            assert_eq!(*floats.clone(), *floats);
            floats.grow(length);
            assert!(floats.iter().all(|v| *v == 2.0));
            floats.grow(length + 1);
            assert_eq!(floats.len(), length + 1);
        }
    }
}
