//! Generates the launchers from the text of the kernels. Each `extern "C" __global__` function gets a Rust function
//! with the same parameters, so that a launch with wrong arguments does not compile. Structs and constants of the
//! kernels get equal ones in Rust. The build scripts of the library and of the emulator, and a test, include this
//! module; the library itself does not contain it.
//!
//! It reads only the part of C++ that the declarations of the kernels use. Any other declaration that a launcher needs
//! is an error that names file and line.

mod layout;
mod parse;
mod rust;
mod tokens;

use std::path::{Path, PathBuf};

use layout::Scope;
use parse::File;

/// The error is a sentence with file and line.
pub type Result<T> = std::result::Result<T, String>;

/// The text that is generated from all kernels.
#[derive(Debug)]
pub struct Launchers {
    /// Rust code with one module for each file.
    pub rust: String,
    /// For each kernel file its name and C++ code to append to it: assertions that its structs are laid out as in Rust.
    pub assertions: Vec<(String, String)>,
}

impl Launchers {
    /// Name and text of each kernel file, with its assertions appended. A `#line` directive makes compilers and the
    /// emulator name the file in the repository in their messages.
    pub fn with_assertions(&self, sources: &[(String, String)]) -> Vec<(String, String)> {
        let whole = |(name, assertions): &(String, String)| {
            let (_, text) = sources.iter().find(|(other, _)| other == name)?;
            Some((name.clone(), format!("#line 1 \"kernels/{name}\"\n{text}{assertions}")))
        };
        self.assertions.iter().filter_map(whole).collect()
    }
}

/// Name and text of the kernels and headers in a folder, sorted by name.
///
/// # Panics
/// When the files cannot be read.
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

/// Generates the launchers of these kernels and headers, each a pair of name (`blend.cu`) and text.
///
/// # Errors
/// A declaration that a launcher needs cannot be read; the sentence names file and line.
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
