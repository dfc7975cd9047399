//! Memory for what the convolutions work on.

use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// From here on, large pages are asked for: two of their usual size.
const LARGE: usize = 4 << 20;

/// Floats that begin at a page, so that no vector straddles two lines of the cache, and are zero at first.
///
/// Long ones lie in large pages where the system has them: a tile reads 100 MB of weights, which in pages of 4 KB are
/// more than the processor keeps the places of, and each of which is a fault when it is first written.
#[derive(Debug, Default)]
pub struct Floats(Option<MmapMut>);

impl Floats {
    /// So many zeros.
    pub fn zeros(length: usize) -> Self {
        if length == 0 {
            return Floats(None);
        }
        // As for a vector, memory that is not there ends the program.
        let Ok(layout) = Layout::array::<f32>(length) else { handle_alloc_error(Layout::new::<f32>()) };
        let Ok(map) = MmapMut::map_anon(layout.size()) else { handle_alloc_error(layout) };
        #[cfg(target_os = "linux")]
        if layout.size() >= LARGE {
            // A wish: without it all is the same, only slower.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Floats(Some(map))
    }

    /// Makes room for `length`; what they were is lost if there was not.
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
    fn floats_are_zeros_that_begin_at_a_line_of_the_cache() {
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
