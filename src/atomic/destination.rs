//! Where an output goes, and what it may replace there.

use std::io;
use std::path::{Path, PathBuf};

use super::Group;
use crate::mark::is_own;
use crate::{Error, Result, regular};

/// The file that an output is written to. From a path it replaces any file that is there.
///
#[cfg_attr(feature = "files", doc = "```")]
#[cfg_attr(not(feature = "files"), doc = "```ignore")]
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cells_masks.tif");
/// use flowmask::output::{Destination, Format, save_labels};
/// std::fs::write(&path, "labels that somebody drew")?;
/// let masks = ndarray::array![[0_u32, 1], [2, 2]];
/// let careful = Destination::new(&path).overwrite(false);
/// assert!(save_labels(careful, &[masks.view()], Format::Tif).is_err());
/// save_labels(&path, &[masks.view()], Format::Tif)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Destination {
    path: PathBuf,
    overwrite: bool,
    group: Option<Group>,
}

impl Destination {
    /// The file at `path`, which replaces any file that is there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Destination { path: path.into(), overwrite: true, group: None }
    }

    /// Whether the output replaces any file. With `false` it replaces only a file that flowmask wrote, by
    /// [`is_own`](super::is_own): every other file is an [`Error::Exists`], also one that appears while the output is
    /// computed.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Makes the output one of `group`: it gets its name when that is placed.
    pub fn group(mut self, group: &Group) -> Self {
        self.group = Some(group.clone());
        self
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells before an output is computed whether it could be put there.
    ///
    /// # Errors
    /// [`Error::Exists`] for a file that must not be replaced, [`Error::Read`] for one that cannot be read,
    /// [`Error::Write`] for a folder.
    pub fn check(&self) -> Result<()> {
        if self.path.is_dir() {
            return Err(Error::write(&self.path, io::ErrorKind::IsADirectory.into()));
        }
        match self.overwrite || !self.is_taken() || is_own(&self.path) {
            true => Ok(()),
            false => Err(self.taken()),
        }
    }

    /// Why the file that is there stays. One that cannot be read for now may be flowmask's own.
    fn taken(&self) -> Error {
        use io::ErrorKind::{InvalidInput, NotFound};
        match regular::open(&self.path) {
            Err(error) if !matches!(error.kind(), InvalidInput | NotFound) => Error::read(&self.path, error),
            _ => Error::Exists { path: self.path.clone() },
        }
    }

    /// The group, which the destination then does not belong to any more.
    pub(super) fn take_group(&mut self) -> Option<Group> {
        self.group.take()
    }

    /// Whether any file may be replaced.
    pub(crate) fn overwrites(&self) -> bool {
        self.overwrite
    }

    /// Whether there is something. A link that leads nowhere counts.
    pub(super) fn is_taken(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Destination {
    fn from(path: &P) -> Self {
        Destination::new(path.as_ref())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let careful = |name: &str| Destination::new(folder.path().join(name)).overwrite(false).check();
        assert!(careful("new").is_ok());
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        assert!(matches!(careful("link"), Err(Error::Exists { .. })));
        std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
        assert!(matches!(careful("loop"), Err(Error::Read { .. })));
    }
}
