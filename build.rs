//! Embeds the kernels' texts, makes their launchers, and looks whether the weights that are to be inside are there.

use std::fmt::Write;
use std::path::{Path, PathBuf};

#[path = "kernels/launchers/mod.rs"]
mod launchers;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=kernels");
    let sources = launchers::sources(Path::new("kernels"));
    let made = launchers::launchers(&sources).unwrap_or_else(|wrong| panic!("{wrong}"));
    std::fs::write(out("launchers.rs"), &made.rust).expect("writing the launchers");
    embed("kernels.rs", made.with_assertions(&sources).iter());
    embed("headers.rs", sources.iter().filter(|(name, _)| name.ends_with(".cuh")));
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

/// Writes a list in Rust: the name and the text of each file.
fn embed<'a>(list: &str, files: impl Iterator<Item = &'a (String, String)>) {
    let mut all = String::from("&[\n");
    for (name, text) in files {
        let stem = Path::new(name).file_stem().expect("a kernel's name").to_string_lossy();
        // The text and not its path: a build folder may outlive or move with the checkout.
        writeln!(all, "    ({stem:?}, {text:?}),").expect("a string takes all");
    }
    all += "]\n";
    std::fs::write(out(list), all).expect("writing a list of kernels");
}
