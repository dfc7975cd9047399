//! Embeds the kernels' sources; with the feature `cpu-emu`, also compiles them for the processor at hand, as a library
//! that stands in for the CUDA driver.

use std::fmt::Write;
use std::path::{Path, PathBuf};

#[path = "kernels/launchers/mod.rs"]
mod launchers;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=kernels");
    let headers = files("kernels", "cuh");
    let kernels = launch(&files("kernels", "cu"), &headers);
    embed("kernels.rs", &kernels);
    embed("headers.rs", &headers);
    #[cfg(feature = "cpu-emu")]
    emulate(&kernels);
    // Without a name of its own, programs would look for the library where it was when they were linked.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libflowmask.so");
    }
}

fn out(name: &str) -> PathBuf {
    Path::new(&std::env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join(name)
}

/// The files of a folder with this extension, by name.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder of kernels");
    let paths = files.map(|file| file.expect("an entry of a folder").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// Writes the launchers, and copies of the kernels with assertions of what the launchers rely on.
fn launch(kernels: &[PathBuf], headers: &[PathBuf]) -> Vec<PathBuf> {
    let name = |path: &PathBuf| path.file_name().expect("a kernel's name").to_string_lossy().into_owned();
    let read = |path: &PathBuf| (name(path), std::fs::read_to_string(path).expect("a kernel's text"));
    let sources: Vec<(String, String)> = headers.iter().chain(kernels).map(read).collect();
    let made = launchers::launchers(&sources).unwrap_or_else(|wrong| panic!("{wrong}"));
    std::fs::write(out("launchers.rs"), made.rust).expect("writing the launchers");
    let copies = made.assertions.iter().map(|(name, assertions)| {
        let (_, text) = sources.iter().find(|(other, _)| other == name).expect("the file that was read");
        // Messages of compilers and of the emulator name the kernel, not the copy.
        let text = format!("#line 1 \"kernels/{name}\"\n{text}{assertions}");
        std::fs::write(out(name), text).expect("writing a kernel");
        out(name)
    });
    copies.collect()
}

/// Writes a list in Rust: the name and the text of each file.
fn embed(list: &str, files: &[PathBuf]) {
    let mut text = String::from("&[\n");
    for path in files {
        let name = path.file_stem().expect("a kernel's name").to_string_lossy();
        // The text and not its path: a build folder may outlive or move with the checkout.
        let kernel = std::fs::read_to_string(path).expect("a kernel's text");
        writeln!(text, "    ({name:?}, {kernel:?}),").expect("a string takes all");
    }
    text += "]\n";
    std::fs::write(out(list), text).expect("writing a list of kernels");
}

/// Compiles the kernels and the emulator to a library of the driver's name.
#[cfg(feature = "cpu-emu")]
fn emulate(kernels: &[PathBuf]) {
    println!("cargo::rerun-if-env-changed=FLOWMASK_EMULATOR_SANITIZE");
    let sanitize = std::env::var("FLOWMASK_EMULATOR_SANITIZE").unwrap_or_default();
    let build = |level: u32| {
        let mut build = cc::Build::new();
        // The build's profile decides neither speed nor checks here; no contraction, so that rounding is the device's.
        build.cpp(true).std("c++17").opt_level(level).pic(true).debug(!sanitize.is_empty());
        build.flag("-march=x86-64-v3").flag("-ffp-contract=off").flag("-Wno-unknown-pragmas");
        build.flag("-fvisibility=hidden");
        build.include("kernels").include("kernels/emulator").cargo_metadata(false);
        build
    };
    let runtime = build(3).files(files("kernels/emulator", "cpp")).compile_intermediates();
    let mut device = build(if sanitize.is_empty() { 2 } else { 1 });
    device.flag("-x").flag("c++");
    if !sanitize.is_empty() {
        device.flag(format!("-fsanitize={sanitize}")).flag("-fno-sanitize-recover=all");
        if sanitize == "thread" && device.get_compiler().is_like_clang() {
            device.flag("-mllvm").flag("-tsan-distinguish-volatile=1");
        }
    }
    let selftest = Path::new("kernels/emulator/selftest.cu");
    let objects = device.files(kernels).file(selftest).compile_intermediates();
    // The name by which the driver is looked for first.
    let library = out("libcuda.so");
    let mut link = build(2).get_compiler().to_command();
    link.args(["-shared", "-Wl,-soname,libcuda.so", "-o"]).arg(&library).args(runtime).args(objects);
    link.args(["-ldl", "-lpthread"]);
    if !sanitize.is_empty() {
        link.arg(format!("-fsanitize={sanitize}"));
    }
    assert!(link.status().expect("a C++ compiler").success(), "linking the emulator");
    println!("cargo::rustc-env=FLOWMASK_EMULATOR={}", library.display());
}
