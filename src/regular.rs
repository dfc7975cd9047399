//! Opens files that the user names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::memory::free;

/// The bytes of a file for which it is asked what memory is free.
const LARGE: u64 = 100 << 20;

/// Opens a file for reading. A pipe, a socket or a device is refused: without a writer a pipe blocks for ever, and a
/// device may have no end. (For a folder, the operating system's own error says what it is.)
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device, not a file"));
    }
    File::open(path)
}

/// The whole content of a file that [`open`] takes.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    // As much as the file has now; a length that cannot be had is only a lost hint.
    let length = file.metadata().map_or(0, |data| data.len());
    // Systems lend more memory than they have, and end who uses it. To ask what is free takes a millisecond.
    if length > LARGE && length > free() {
        let reason = format!("it has {length} bytes, more than there is memory for");
        return Err(io::Error::new(io::ErrorKind::OutOfMemory, reason));
    }
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
