//! Makes the launchers of the kernels from the kernels' own text: for each `extern "C" __global__` function a function
//! in Rust with the same parameters, so that wrong arguments do not compile, and for each of its structs and constants
//! the same in Rust. The build scripts of the library and of the emulator and a test include it; it is no part of the library.
//!
//! It reads the little of C++ that the kernels' declarations are written in, and refuses the rest by file and line.

mod layout;
mod parse;
mod rust;
mod tokens;

use std::path::{Path, PathBuf};

use layout::Scope;
use parse::File;

/// What is wrong, with the file and the line.
pub type Result<T> = std::result::Result<T, String>;

/// What is made of all kernels.
#[derive(Debug)]
pub struct Launchers {
    /// A module for each file, as text in Rust.
    pub rust: String,
    /// For each file of kernels its name and C++ that goes behind its text: assertions that structs lie as in Rust.
    pub assertions: Vec<(String, String)>,
}

impl Launchers {
    /// Each file of kernels with its assertions behind it, by name and text. Messages of compilers and of the emulator
    /// name the file as it is in the repository.
    pub fn with_assertions(&self, sources: &[(String, String)]) -> Vec<(String, String)> {
        let whole = |(name, assertions): &(String, String)| {
            let (_, text) = sources.iter().find(|(other, _)| other == name)?;
            Some((name.clone(), format!("#line 1 \"kernels/{name}\"\n{text}{assertions}")))
        };
        self.assertions.iter().filter_map(whole).collect()
    }
}

/// The kernels of a folder and their headers, by name and text, in the order of their names.
///
/// # Panics
/// When they cannot be read.
pub fn sources(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).expect("a folder of kernels");
    let paths = entries.map(|entry| entry.expect("an entry of a folder").path());
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a kernel's name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("a kernel's text"))
    };
    let kernels = paths.filter(|path| path.extension().is_some_and(|e| e == "cu" || e == "cuh"));
    let mut sources: Vec<(String, String)> = kernels.map(read).collect();
    sources.sort();
    sources
}

/// Reads kernels and their headers, given by name (`blend.cu`) and text.
///
/// # Errors
/// A sentence with file and line about a declaration that a launcher needs and that cannot be read.
pub fn launchers(sources: &[(String, String)]) -> Result<Launchers> {
    let files: Vec<File> =
        sources.iter().map(|(name, text)| parse::file(name, text)).collect::<Result<_>>()?;
    let mut made = Launchers { rust: String::new(), assertions: Vec::new() };
    for file in &files {
        let scope = Scope::new(file, &files)?;
        made.rust += &rust::module(file, &scope)?;
        if file.name.ends_with(".cu") {
            made.assertions.push((file.name.clone(), rust::assertions(file, &scope)?));
        }
    }
    Ok(made)
}
