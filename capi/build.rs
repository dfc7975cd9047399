//! Names the shared library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Without a name of its own, programs would look for the library where it was when they were linked.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libflowmask.so");
    }
}
