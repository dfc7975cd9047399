//! Drives the program as a user does, in a folder of its own.

mod bad;
mod devices;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod emulated;
mod good;
mod gpu;
#[cfg(unix)]
mod progress;
#[path = "../common/required.rs"]
mod required;
mod scene;
