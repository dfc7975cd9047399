//! The C interface: what `include/flowmask.h` declares, which cbindgen makes from these files and their comments.
//!
//! A handle is a number that is never given twice, so that one that was freed, or is something else, is an error and
//! not a crash. Structs that may grow begin with their size. Every function catches panics, and returns a status.
#![allow(non_camel_case_types)]
// What callers must keep to is said once, at the top of the header.
#![allow(clippy::missing_safety_doc)]

mod device;
mod fault;
mod handles;
mod handover;
mod image;
mod log;
mod many;
mod model;
mod options;
mod result;
mod session;
mod sized;
mod status;

pub use device::*;
pub use handover::*;
pub use image::*;
pub use log::*;
pub use many::*;
pub use model::*;
pub use options::*;
pub use result::*;
pub use session::*;
pub use status::*;

use std::ffi::c_char;

/// The version of this interface. It rises when something that was there changes; functions, and fields at the end of
/// structs, are added without.
pub const FLOWMASK_ABI_VERSION: u32 = 1;

/// The FLOWMASK_ABI_VERSION of the library that is running: check that it is the header's.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_abi_version() -> u32 {
    FLOWMASK_ABI_VERSION
}

/// The version of the library, such as "0.1.0". It is there for as long as the library is.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

#[cfg(all(test, unix))]
mod tests;
