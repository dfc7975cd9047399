//! Files are decoded here: whatever is wrong with one, it is an error.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use super::samples::Decoded;
use crate::memory::enough;
use crate::{Error, OutOfMemory, Result, text};

/// Decodes the file with this name. Too little memory is an error, and so is a panic: one file must not end the work on
/// the others.
pub(super) fn guarded<T>(path: &Path, decode: impl FnOnce() -> Decoded<T>) -> Result<T> {
    let decoded = || {
        catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|payload| match payload.is::<OutOfMemory>() {
            true => resume_unwind(payload),
            false => {
                Err("its decoder panicked, which is a fault of flowmask or of a library that it uses".into())
            }
        })
    };
    enough(|| text::path(path), || decoded().map_err(|reason| Error::image_file(path, reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::require;

    #[test]
    fn a_panic_and_too_little_memory_are_errors_of_the_file() {
        let path = Path::new("a.tif");
        assert_eq!(guarded(path, || Ok(3)).unwrap(), 3);
        let panicked = guarded(path, || -> Decoded<u8> { panic!("an index out of bounds") }).unwrap_err();
        assert!(panicked.to_string().starts_with("a.tif: its decoder panicked"), "{panicked}");
        let over = || {
            require(7, Some(6));
            Ok(())
        };
        let full = guarded(path, over).unwrap_err();
        assert!(matches!(full, Error::Memory { needed: 7, limit: 6, .. }), "{full}");
    }
}
