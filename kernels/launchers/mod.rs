//! Makes the launchers of the kernels from the kernels' own text: for each `extern "C" __global__` function a function
//! in Rust with the same parameters, so that wrong arguments do not compile, and for each of its structs and constants
//! the same in Rust. `build.rs` and the tests of this include it; it is no part of the library.
//!
//! It reads the little of C++ that the kernels' declarations are written in, and refuses the rest by file and line.

mod layout;
mod parse;
mod rust;
mod tokens;

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
