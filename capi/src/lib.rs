//! The C interface. cbindgen makes `include/flowmask.h` from these files and their comments.
//!
//! A handle is a number that is never used twice, so that a wrong or freed handle is an error and not a crash. Structs that
//! may grow begin with their size. Every function catches panics, and all that can fail return a status.
#![allow(non_camel_case_types)]
// The top of the header says once what callers must guarantee.
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

/// The version of this interface. It rises when something existing changes, but not when functions or fields at the end of
/// structs are added.
pub const FLOWMASK_ABI_VERSION: u32 = 1;

/// The FLOWMASK_ABI_VERSION of the loaded library. Check that it is equal to that of the header.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_abi_version() -> u32 {
    FLOWMASK_ABI_VERSION
}

/// The version of the library, such as "0.1.0". The string is valid while the library is loaded.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

#[cfg(all(test, unix))]
mod tests;
