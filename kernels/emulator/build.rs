//! Compiles two libraries: the emulator with all kernels, which stands in for the CUDA driver, and a stand-in for
//! NVRTC.
//!
//! `FLOWMASK_EMULATOR_SANITIZE` names the sanitizers that the kernels are compiled with.

use std::path::{Path, PathBuf};

#[path = "../launchers/mod.rs"]
mod launchers;

fn main() {
    println!("cargo::rerun-if-changed=..");
    println!("cargo::rerun-if-env-changed=FLOWMASK_EMULATOR_SANITIZE");
    let sanitize = std::env::var("FLOWMASK_EMULATOR_SANITIZE").unwrap_or_default();
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    driver(&folder, &sanitize);
    let nvrtc = compiler(3).file("nvrtc.cpp").compile_intermediates();
    // The library looks for NVRTC by this name first.
    link(&folder.join("libnvrtc.so.13"), &nvrtc, "");
    let builtins = compiler(3).file("nvrtc_builtins.cpp").compile_intermediates();
    link(&folder.join("libnvrtc-builtins.so.12.99"), &builtins, "");
    println!("cargo::rustc-env=FLOWMASK_EMULATOR={}", folder.display());
}

/// The library that stands in for the driver, with the kernels inside.
fn driver(folder: &Path, sanitize: &str) {
    let runtime: Vec<PathBuf> =
        files(".", "cpp").into_iter().filter(|path| !file_name(path).starts_with("nvrtc")).collect();
    let runtime = compiler(3).debug(!sanitize.is_empty()).files(runtime).compile_intermediates();
    let mut device = compiler(if sanitize.is_empty() { 2 } else { 1 });
    device.debug(!sanitize.is_empty()).flag("-x").flag("c++");
    if !sanitize.is_empty() {
        device.flag(format!("-fsanitize={sanitize}")).flag("-fno-sanitize-recover=all");
        if sanitize == "thread" && device.get_compiler().is_like_clang() {
            device.flag("-mllvm").flag("-tsan-distinguish-volatile=1");
        }
    }
    let kernels = device.files(kernels(folder)).file("selftest.cu").compile_intermediates();
    // The library looks for the driver by this name first.
    link(&folder.join("libcuda.so"), &[runtime, kernels].concat(), sanitize);
}

/// Writes the kernels with the same assertions about their structs as in the library, and returns the files.
fn kernels(folder: &Path) -> Vec<PathBuf> {
    let sources = launchers::sources(Path::new(".."));
    let made = launchers::launchers(&sources).unwrap_or_else(|wrong| panic!("{wrong}"));
    let write = |(name, text): (String, String)| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writing a kernel");
        path
    };
    made.with_assertions(&sources).into_iter().map(write).collect()
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII")
}

/// The files of a folder with this extension, sorted by name.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder of sources");
    let paths = files.map(|file| file.expect("an entry of a folder").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// A C++ compiler. The optimisation level does not depend on the cargo profile, so that tests are fast in each profile.
/// Products and sums are not contracted to fused operations, so that rounding is the same as on a GPU.
fn compiler(level: u32) -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").opt_level(level).pic(true).debug(false);
    build.flag("-march=x86-64-v3").flag("-ffp-contract=off").flag("-Wno-unknown-pragmas");
    build.flag("-fvisibility=hidden").include("..").include(".").cargo_metadata(false);
    build
}

fn link(library: &Path, objects: &[PathBuf], sanitize: &str) {
    let name = library.file_name().expect("a library has a name").to_string_lossy();
    let mut link = compiler(2).get_compiler().to_command();
    link.arg("-shared").arg(format!("-Wl,-soname,{name}")).arg("-o").arg(library).args(objects);
    link.args(["-ldl", "-lpthread"]);
    if !sanitize.is_empty() {
        link.arg(format!("-fsanitize={sanitize}"));
    }
    assert!(link.status().expect("a C++ compiler, such as g++").success(), "linking {name}");
}
