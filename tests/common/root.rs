//! The repository, whose data and weights the tests read.

use std::path::{Path, PathBuf};

/// The repository that this program was built in, or, where that is no longer there, the working directory: a test
/// program may be taken to a machine without Rust and run in a copy of the tree.
pub fn root() -> PathBuf {
    // The C interface's package is a folder below.
    let mut packages = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let built = packages.find(|folder| folder.join("tests/data").is_dir());
    built.unwrap_or(Path::new(".")).to_owned()
}
