//! Gives the shared library its name (soname).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Without a soname, a program may look for the library only at the path at which it was when the program was linked.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libflowmask.so");
    }
}
