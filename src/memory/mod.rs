//! Memory whose size depends on an image: arrays that are an error, not the end of the program, when there is too
//! little.

mod free;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytemuck::Zeroable;

pub(crate) use free::free;

/// What a stage unwinds with when an array cannot be allocated. A stage runs on many threads at once, deep inside
/// parallel loops, from which unwinding is the way out. The pipeline makes an [`Error::Memory`](crate::Error::Memory)
/// of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// The bytes of the array.
    pub bytes: u64,
}

impl OutOfMemory {
    /// Unwinds. No panic message is printed.
    pub(crate) fn unwind(bytes: usize) -> ! {
        resume_unwind(Box::new(OutOfMemory { bytes: bytes as u64 }))
    }
}

/// An array of `length` zeros. The system gives zeros without work, and takes memory only for what is written.
///
/// Unwinds with [`OutOfMemory`] when there is too little memory.
pub(crate) fn zeros<T: Zeroable>(length: usize) -> Vec<T> {
    bytemuck::allocation::try_zeroed_vec(length)
        .unwrap_or_else(|()| OutOfMemory::unwind(length.saturating_mul(size_of::<T>())))
}

/// An empty array with room for `length` values. Unwinds like [`zeros`].
pub(crate) fn room<T>(length: usize) -> Vec<T> {
    let mut values = Vec::new();
    if values.try_reserve_exact(length).is_err() {
        OutOfMemory::unwind(length.saturating_mul(size_of::<T>()));
    }
    values
}

/// Calls `work`, and returns the [`OutOfMemory`] that it unwinds with. Other panics go on.
///
/// What `work` leaves half done must not be used: its results are in arrays that the next stage replaces.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.downcast::<OutOfMemory>() {
        Ok(out) => *out,
        Err(other) => resume_unwind(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_that_is_too_large_is_an_error() {
        assert_eq!(caught(|| zeros::<f32>(5)).unwrap(), [0.0; 5]);
        assert_eq!(caught(|| zeros::<u32>(1 << 60)), Err(OutOfMemory { bytes: 1 << 62 }));
        assert_eq!(caught(|| room::<u64>(usize::MAX)), Err(OutOfMemory { bytes: u64::MAX }));
        assert_eq!(caught(|| room::<u64>(3)).unwrap().capacity(), 3);
        // From another thread too.
        // The compiler must not leave the array out.
        let length = || std::hint::black_box(zeros::<u8>(isize::MAX as usize)).len();
        let sum = || rayon::join(|| 1, length);
        assert_eq!(caught(sum), Err(OutOfMemory { bytes: isize::MAX as u64 }));
        assert!(std::panic::catch_unwind(|| caught(|| resume_unwind(Box::new(3)))).is_err());
    }
}
