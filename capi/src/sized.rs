//! Structs that begin with their size, so that they can grow: a caller that was built with an older header has a smaller
//! struct.

use std::mem::size_of;

use crate::fault::Fault;

/// An upper bound for the size of every struct. A larger size means that the caller did not set the field.
const MAX_SIZE: usize = 4096;

/// A struct of numbers and pointers without gaps, whose first field is its size.
///
/// # Safety
/// The struct is `repr(C)`, begins with a `u32`, has no padding, and all bit patterns are valid.
pub(crate) unsafe trait Versioned: Copy {
    /// The name of the struct without its prefix.
    const NAME: &str;
    /// The size of the struct in version 1 of the interface. No caller has a smaller one.
    const FIRST: usize;
    /// The values of the fields that an older caller does not have.
    fn defaults() -> Self;
}

/// Reads the caller's struct. Fields that the caller does not have get their defaults. A struct of a newer version is
/// accepted when the fields that this library does not know are 0.
///
/// # Safety
/// `pointer` is NULL or points to as many bytes as the first field says.
pub(crate) unsafe fn read<T: Versioned>(pointer: *const T) -> Result<T, Fault> {
    // SAFETY: the caller guarantees it.
    let size = unsafe { size(pointer) }?;
    let mut value = T::defaults();
    // SAFETY: both structs have these bytes, and all bit patterns are valid.
    unsafe {
        let known = size.min(size_of::<T>());
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), (&raw mut value).cast(), known);
        let beyond = std::slice::from_raw_parts(pointer.cast::<u8>().add(known), size - known);
        if beyond.iter().any(|&byte| byte != 0) {
            let reason = "has fields that this version of the library does not know, and they are not 0";
            return Err(Fault::argument(T::NAME, reason));
        }
    }
    Ok(value)
}

/// Writes the fields that the caller's struct has. Its first field, the size, stays; fields that this library does not know
/// become 0.
///
/// # Safety
/// As for [`read`], and the bytes can be written.
pub(crate) unsafe fn write<T: Versioned>(out: *mut T, value: &T) -> Result<(), Fault> {
    // SAFETY: the caller guarantees it.
    let size = unsafe { size(out) }?;
    let (known, first) = (size.min(size_of::<T>()), size_of::<u32>());
    // SAFETY: as above.
    unsafe {
        let (from, to) = ((&raw const *value).cast::<u8>(), out.cast::<u8>());
        std::ptr::copy_nonoverlapping(from.add(first), to.add(first), known - first);
        to.add(known).write_bytes(0, size - known);
    }
    Ok(())
}

/// Reads the first field, the size, and checks it.
unsafe fn size<T: Versioned>(pointer: *const T) -> Result<usize, Fault> {
    const { assert!(size_of::<T>() <= MAX_SIZE) };
    crate::image::check_pointer(T::NAME, pointer)?;
    // SAFETY: the caller guarantees it.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    check(T::NAME, size, T::FIRST)?;
    Ok(size)
}

fn check(name: &str, size: usize, first: usize) -> Result<(), Fault> {
    if (first..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    let reason =
        format!("its field size is {size}, which should be sizeof(flowmask_{name}), {first} or more");
    Err(Fault::argument(name, reason))
}

/// Writes the size and the defaults to a struct of `size` bytes.
///
/// # Safety
/// `out` is NULL or has `size` bytes.
pub(crate) unsafe fn set_defaults<T: Versioned>(out: *mut T, size: u32) -> Result<(), Fault> {
    crate::image::check_pointer(T::NAME, out)?;
    check(T::NAME, size as usize, T::FIRST)?;
    // SAFETY: the caller guarantees it, and `write` reads the size that is written before.
    unsafe {
        out.cast::<u32>().write(size);
        write(out, &T::defaults())
    }
}

/// Implements [`Versioned`] for a struct, and checks at compile time that there are no gaps between its fields.
macro_rules! sized {
    ($type:ty, $name:literal, first: $first:expr, fields: [$($field:ident: $kind:ty),+ $(,)?], $defaults:expr) => {
        const _: () = {
            let mut end = 0;
            $(
                assert!(std::mem::offset_of!($type, $field) == end, stringify!($field));
                end += std::mem::size_of::<$kind>();
            )+
            assert!(std::mem::size_of::<$type>() == end);
        };
        // SAFETY: the layout is checked above; the fields are numbers, pointers and optional functions.
        unsafe impl $crate::sized::Versioned for $type {
            const NAME: &str = $name;
            const FIRST: usize = $first;
            fn defaults() -> Self {
                $defaults
            }
        }
    };
}
pub(crate) use sized;

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct as it may be in a newer version: the last field is new.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Later {
        size: u32,
        old: u32,
        new: u64,
    }
    sized!(Later, "later", first: 8, fields: [size: u32, old: u32, new: u64], Later { size: 16, old: 1, new: 2 });

    fn read_words(words: &[u32]) -> Result<Later, String> {
        let words: Vec<u64> = words.chunks(2).map(|w| u64::from(w[0]) | u64::from(w[1]) << 32).collect();
        // SAFETY: the first word is the size; there are as many bytes, or the size is refused.
        unsafe { read(words.as_ptr().cast::<Later>()) }.map_err(|fault| fault.message)
    }

    #[test]
    fn older_callers_get_defaults_and_newer_ones_must_leave_unknown_fields_0() {
        assert_eq!(read_words(&[8, 5]), Ok(Later { size: 8, old: 5, new: 2 }));
        assert_eq!(read_words(&[16, 5, 6, 0]), Ok(Later { size: 16, old: 5, new: 6 }));
        assert_eq!(read_words(&[24, 5, 6, 0, 0, 0]), Ok(Later { size: 24, old: 5, new: 6 }));
        assert!(read_words(&[24, 5, 6, 0, 0, 1]).unwrap_err().contains("fields that this version"));
        for size in [0, 7, 5000, u32::MAX] {
            assert!(
                read_words(&[size, 5]).unwrap_err().starts_with(&format!("later: its field size is {size}"))
            );
        }
        // SAFETY: the function checks for NULL.
        assert!(unsafe { read(std::ptr::null::<Later>()) }.unwrap_err().message.contains("NULL"));
    }

    #[test]
    fn no_more_is_written_than_the_caller_has() {
        for (size, want) in
            [(8_u32, [8, 1, 9, 9, 9, 9]), (16, [16, 1, 2, 0, 9, 9]), (24, [24, 1, 2, 0, 0, 0])]
        {
            let mut words = [9_u32; 6];
            // The struct has 8-byte numbers, so it must be aligned for them.
            let mut aligned = [0_u64; 3];
            bytemuck::cast_slice_mut::<u64, u32>(&mut aligned).copy_from_slice(&words);
            // SAFETY: there are 24 bytes.
            unsafe { set_defaults(aligned.as_mut_ptr().cast::<Later>(), size) }.unwrap();
            words.copy_from_slice(bytemuck::cast_slice(&aligned));
            assert_eq!(words, want, "{size}");
        }
    }
}
