//! Embeds the kernels' sources, and looks whether the weights that are to be inside are there.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=kernels");
    embed("kernels.rs", &files("kernels", "cu"));
    embed("headers.rs", &files("kernels", "cuh"));
    if std::env::var_os("CARGO_FEATURE_BUILTIN_MODELS").is_some() {
        weights();
    }
}

/// A package of the source alone has no room for the weights.
fn weights() {
    for name in ["cyto", "nuclei"] {
        let path = format!("weights/{name}.safetensors");
        assert!(
            Path::new(&path).is_file(),
            "the feature `builtin-models` puts {path} into the program, and this copy of flowmask does not have it: copy it \
             from the repository, or build without the feature, and the file is looked for when the program runs"
        );
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
