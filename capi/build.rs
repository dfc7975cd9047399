//! Gives the shared library its name (soname), and its symbols a version.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // A program looks for the library by this name, which changes with the major version.
        let major = var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets it");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libflowmask.so.{major}");
        // Each symbol gets the soname as its version, so that two versions of the library can be in one process. rustc writes
        // the version script, which cannot be combined with another one. Only GNU's linker knows this flag.
        println!("cargo::rustc-cdylib-link-arg=-fuse-ld=bfd");
        println!("cargo::rustc-cdylib-link-arg=-Wl,--default-symver");
    }
}
