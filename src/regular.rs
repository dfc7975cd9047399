//! Opens files that the user names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::memory::{require, room};

/// Opens a file for reading. A pipe, a socket or a device is refused: without a writer a pipe blocks for ever, and a
/// device may have no end. (For a folder, the operating system's own error says what it is.)
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device, not a file"));
    }
    File::open(path)
}

/// The whole content of a file that [`open`] takes. Unwinds like [`require`] when it has more than `most` bytes, or than
/// there is memory for.
pub(crate) fn read(path: &Path, most: Option<u64>) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    // As much as the file has now; a length that cannot be had is only a lost hint.
    let length = file.metadata().map_or(0, |data| data.len());
    require(length, most);
    let mut bytes = room(usize::try_from(length).unwrap_or(usize::MAX));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
