//! Drives the program as a user does, in a folder of its own.

mod axes;
mod bad;
mod cellpose;
mod devices;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod emulated;
mod escapes;
mod flags;
mod good;
mod gpu;
mod inputs;
mod intensities;
mod kept;
#[cfg(target_os = "linux")]
mod killed;
#[cfg(target_os = "linux")]
mod memory;
mod outputs;
#[cfg(unix)]
mod progress;
mod pull;
#[path = "../common/required.rs"]
mod required;
mod restore;
#[path = "../common/run.rs"]
mod run;
mod scene;
#[path = "../common/server.rs"]
mod server;
mod stitch;
#[cfg(target_os = "linux")]
mod stopped;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tuned;
mod volumes;
