//! Writes files as a whole or not at all.

mod destination;
mod group;
mod temporary;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub use destination::Destination;
pub use group::Group;
pub(crate) use temporary::together;
pub use temporary::{Discarded, discard_unfinished};

use temporary::Temporary;

use crate::mark::is_own;
use crate::{Error, Result};

/// Writes a temporary file in the same folder, and renames it when it is complete.
///
/// # Errors
/// [`Error::Write`], and [`Error::Exists`] for a file that must not be replaced. The temporary file is then removed, and a
/// file that was there is unchanged.
pub(crate) fn write_atomic(
    to: impl Into<Destination>,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> Result<()> {
    let mut written = Written::new(to, content)?;
    // Else the group would hold itself, and never be dropped.
    match written.to.take_group() {
        Some(group) => {
            group.add(written);
            Ok(())
        }
        None => written.place(),
    }
}

/// A complete output that still has a temporary name.
pub(crate) struct Written {
    temporary: Temporary,
    to: Destination,
}

impl Written {
    /// Writes the content, and waits until it is on the disk.
    pub fn new(
        to: impl Into<Destination>,
        content: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
    ) -> Result<Self> {
        let to = to.into();
        match write(to.path(), content) {
            Ok(temporary) => Ok(Written { temporary, to }),
            Err(error) => Err(Error::write(to.path(), error)),
        }
    }

    /// Gives the output its name.
    pub fn place(mut self) -> Result<()> {
        let path = self.to.path();
        let placed = match self.temporary.place(path, self.to.overwrites()) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && !path.is_dir() => {
                if !is_own(path) {
                    return Err(Error::Exists { path: path.into() });
                }
                self.temporary.place(path, true)
            }
            placed => placed,
        };
        placed.map_err(|e| Error::write(path, e))
    }
}

fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> io::Result<Temporary> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = Temporary::create(folder)?;
    let mut writer = BufWriter::new(temporary.file()?);
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    // A network disk may report that it is full only here.
    temporary.file()?.sync_all()?;
    Ok(temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomic(&path, |w| w.write_all(b"first")).unwrap();
        write_atomic(&path, |w| w.write_all(b"2")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn an_error_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "before").unwrap();
        let full = |w: &mut BufWriter<&mut File>| {
            w.write_all(&[0; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = write_atomic(&path, full).unwrap_err();
        assert!(matches!(&error, Error::Write { path: p, .. } if p == &path), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn places_that_cannot_be_written_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing").join("file");
        let error = write_atomic(&missing, |w| w.write_all(b"content")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write") && !error.contains(".part"), "{error}");
        // A folder cannot become a file.
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        std::fs::write(taken.join("inside"), "").unwrap();
        assert!(write_atomic(&taken, |w| w.write_all(b"content")).is_err());
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomic(&ours, |w| w.write_all(b"content")).unwrap();
        std::fs::write(&plain, "content").unwrap();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
