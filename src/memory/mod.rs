//! Memory whose size depends on an image: arrays that are an error, not the end of the program, when there is too
//! little.

mod free;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytemuck::Zeroable;

use crate::{Error, Result};

pub(crate) use free::free;

/// What a stage unwinds with when an array cannot be allocated. A stage runs on many threads at once, deep inside
/// parallel loops, from which unwinding is the way out; so do readers of files. The library's functions make an
/// [`Error::Memory`] of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// The bytes of the array.
    pub bytes: u64,
    /// The bytes that it may have; 0 when that was not asked before.
    pub limit: u64,
}

impl OutOfMemory {
    /// Unwinds. No panic message is printed.
    pub(crate) fn unwind(bytes: usize) -> ! {
        resume_unwind(Box::new(OutOfMemory { bytes: bytes as u64, limit: 0 }))
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

/// An array of `length` values. Unwinds like [`zeros`].
pub(crate) fn collected<T>(length: usize, values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut all = room(length);
    all.extend(values.into_iter().take(length));
    all
}

/// A copy of these values. Unwinds like [`zeros`].
pub(crate) fn copied<T: Copy>(values: &[T]) -> Vec<T> {
    collected(values.len(), values.iter().copied())
}

/// From here on it is asked what is free before memory is taken. It takes a millisecond.
const LARGE: u64 = 100 << 20;

/// Unwinds with [`OutOfMemory`] if `bytes` are more than `most`, the limit that the caller has set, or than can be had.
/// What is taken afterwards may then be allocated without a check.
pub(crate) fn require(bytes: u64, most: Option<u64>) {
    // Systems lend more memory than they have, and end who uses it; but a limit of the address space refuses at once.
    let free = if bytes > LARGE { free() } else { u64::MAX };
    let limit = most.unwrap_or(u64::MAX).min(free);
    if bytes > limit {
        resume_unwind(Box::new(OutOfMemory { bytes, limit }));
    }
    drop(room::<u8>(usize::try_from(bytes).unwrap_or(usize::MAX)));
}

/// Calls `work`, and makes an error of the [`OutOfMemory`] that it unwinds with; `what` says what needs the memory. Other
/// panics go on.
///
/// What `work` leaves half done must not be used: its results are in arrays that the next stage replaces.
///
/// # Errors
/// Those of `work`, and [`Error::Memory`].
pub(crate) fn enough<T>(what: impl FnOnce() -> String, work: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(work).unwrap_or_else(|OutOfMemory { bytes, limit }| Err(Error::memory(what(), bytes, limit)))
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.downcast::<OutOfMemory>() {
        Ok(out) => *out,
        Err(other) => resume_unwind(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out<T>(bytes: u64) -> Result<T, OutOfMemory> {
        Err(OutOfMemory { bytes, limit: 0 })
    }

    #[test]
    fn an_array_that_is_too_large_is_an_error() {
        assert_eq!(caught(|| zeros::<f32>(5)).unwrap(), [0.0; 5]);
        assert_eq!(caught(|| zeros::<u32>(1 << 60)), out(1 << 62));
        assert_eq!(caught(|| room::<u64>(usize::MAX)), out(u64::MAX));
        assert_eq!(caught(|| room::<u64>(3)).unwrap().capacity(), 3);
        assert_eq!(collected(2, [7, 8, 9]), copied(&[7, 8]));
        assert_eq!(caught(|| collected(usize::MAX, [1_u8])), out(u64::MAX));
        let limited = |bytes, most| Err(OutOfMemory { bytes, limit: most });
        assert_eq!(caught(|| require(101, Some(100))), limited(101, 100));
        assert_eq!(caught(|| require(LARGE + 1, Some(LARGE))), limited(LARGE + 1, LARGE));
        assert!(caught(|| require(1 << 60, None)).unwrap_err().limit > 0);
        assert_eq!(caught(|| require(1 << 20, Some(1 << 20))), Ok(()));
        // From another thread too.
        // The compiler must not leave the array out.
        let length = || std::hint::black_box(zeros::<u8>(isize::MAX as usize)).len();
        let sum = || rayon::join(|| 1, length);
        assert_eq!(caught(sum), out(isize::MAX as u64));
        assert!(std::panic::catch_unwind(|| caught(|| resume_unwind(Box::new(3)))).is_err());
    }
}
