//! The C interface. cbindgen makes `include/flowmask.h` from these files and their comments.
//!
//! A handle is a number that is never used twice, so that a wrong or freed handle is an error and not a crash. Structs that
//! may grow begin with their size. Every function catches panics, and all that can fail return a status.
#![allow(non_camel_case_types)]
// The top of the header says once what callers must guarantee.
#![allow(clippy::missing_safety_doc)]

mod device;
mod fault;
mod file;
mod flows;
mod fork;
mod handles;
mod handover;
mod image;
mod log;
mod many;
mod model;
mod options;
mod pool;
mod read;
mod result;
mod save;
mod session;
mod sized;
mod status;
mod stitch;
mod volume;

pub use device::*;
pub use file::*;
pub use flows::*;
pub use handover::*;
pub use image::*;
pub use log::*;
pub use many::*;
pub use model::*;
pub use options::*;
pub use pool::*;
pub use read::*;
pub use result::*;
pub use save::*;
pub use session::*;
pub use status::*;
pub use stitch::*;
pub use volume::*;

use std::ffi::c_char;

/// The version of this interface. It rises when something existing changes, but not when functions or fields at the end of
/// structs are added.
pub const FLOWMASK_ABI_VERSION: u32 = 2;

/// The version of this header and of the library that it belongs to. Before 1.0, a minor version may change what existed.
pub const FLOWMASK_VERSION_MAJOR: u32 = 0;
/// The second number of the version.
pub const FLOWMASK_VERSION_MINOR: u32 = 1;
/// The third number of the version.
pub const FLOWMASK_VERSION_PATCH: u32 = 0;

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

#[cfg(test)]
#[test]
fn the_header_has_the_version_of_the_package() {
    let header = [FLOWMASK_VERSION_MAJOR, FLOWMASK_VERSION_MINOR, FLOWMASK_VERSION_PATCH];
    assert_eq!(header.map(|number| number.to_string()).join("."), env!("CARGO_PKG_VERSION"));
}

#[cfg(all(test, unix))]
mod tests;
