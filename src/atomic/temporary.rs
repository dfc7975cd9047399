//! Temporary files: which are open in this process, and which a process that was killed has left behind.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard};

use tempfile::{Builder, NamedTempFile};

const PREFIX: &str = ".flowmask-";
const SUFFIX: &str = ".part";
/// Letters and digits between them. Two files never get the same.
const RANDOM: usize = 12;

/// What this process knows of its temporary files.
#[derive(Default)]
struct Known {
    /// The files that are being written.
    open: HashSet<PathBuf>,
    /// The folders in which [`remove_dead`] has looked.
    swept: HashSet<PathBuf>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
/// Held where several files are placed that belong together. It is taken before [`KNOWN`].
static TOGETHER: Mutex<()> = Mutex::new(());

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn known() -> MutexGuard<'static, Known> {
    lock(&KNOWN)
}

/// Calls `place`, in the midst of which [`discard_unfinished`] waits.
pub(crate) fn together<T>(place: impl FnOnce() -> T) -> T {
    let _together = lock(&TOGETHER);
    place()
}

/// While this lives, no output of this process is begun or finished.
#[must_use = "outputs are begun again when it is dropped"]
pub struct Discarded {
    _known: MutexGuard<'static, Known>,
    _together: MutexGuard<'static, ()>,
}

/// Removes the temporary files of the outputs that this process is writing, and keeps others from being begun or finished
/// while the result lives. This is for a program that a signal is about to end: all outputs are then whole or not there.
/// The library itself handles no signals.
pub fn discard_unfinished() -> Discarded {
    let _together = lock(&TOGETHER);
    let mut known = known();
    for path in known.open.drain() {
        // Another process may have removed it, and there is nobody to tell.
        let _ = fs::remove_file(path);
    }
    Discarded { _known: known, _together }
}

/// A temporary file of this process. It is removed when dropped.
pub(super) struct Temporary {
    /// `None` once it has its final name.
    file: Option<NamedTempFile>,
}

impl Temporary {
    /// An empty file in `folder`. Of the first in a folder, files that dead processes left there are removed.
    pub fn create(folder: &Path) -> io::Result<Self> {
        if known().swept.insert(folder.into()) {
            remove_dead(folder);
        }
        let mut known = known();
        let file = create_locked(folder)?;
        known.open.insert(file.path().into());
        Ok(Temporary { file: Some(file) })
    }

    pub fn file(&mut self) -> io::Result<&mut fs::File> {
        // It is there until it is placed, which takes the value.
        self.file.as_mut().map(NamedTempFile::as_file_mut).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Renames the file to `path`, where nothing may be unless `replace`.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when something is there; others of the system. The file can be placed again.
    pub fn place(&mut self, path: &Path, replace: bool) -> io::Result<()> {
        let mut known = known();
        let Some(file) = self.file.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let temporary = file.path().to_path_buf();
        let placed = match replace {
            true => file.persist(path),
            false => file.persist_noclobber(path).or_else(|e| {
                // File systems of memory cards can do neither what that needs, nor links.
                match e.error.kind() != io::ErrorKind::AlreadyExists && path.symlink_metadata().is_err() {
                    true => e.file.persist(path),
                    false => Err(e),
                }
            }),
        };
        match placed {
            Ok(_) => {
                known.open.remove(&temporary);
                Ok(())
            }
            Err(e) => {
                self.file = Some(e.file);
                Err(e.error)
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let mut known = known();
            known.open.remove(file.path());
            drop(file);
        }
    }
}

/// A new file that is locked for as long as it is open. The system takes the lock away with the process, however that
/// ends, so an unlocked file is a dead one.
fn create_locked(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM);
    #[cfg(unix)]
    {
        // The permissions of any new file, less the process's umask. A temporary file would be private.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    loop {
        // The error would name the temporary file, which the user does not know, so only its kind is kept.
        let file = builder.tempfile_in(folder).map_err(|e| io::Error::from(e.kind()))?;
        match file.as_file().try_lock() {
            // Another process came before the lock, took the file for a dead one and removes it.
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if !file.path().exists() => {}
            // Where files cannot be locked, no process gets the lock that it needs to remove one.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// Removes the temporary files in `folder` whose process is dead. What cannot be removed is left to the user.
fn remove_dead(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // Neither a pipe nor a link is opened.
        if is_name(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = entry.path();
            let file = OpenOptions::new().read(true).write(true).open(&path);
            if let Ok(file) = file
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Whether only this program gives such names.
fn is_name(name: &OsStr) -> bool {
    let random = |name: &str| Some(name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.to_string());
    name.to_str()
        .and_then(random)
        .is_some_and(|random| random.len() == RANDOM && random.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unlocked_files_with_our_names_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let others = [".flowmask-short.part", ".flowmask-abcdef-12345.part", "flowmask-abcdef123456.part"];
        for name in others {
            fs::write(path(name), "").unwrap();
        }
        fs::write(path(".flowmask-abcdef123456.part"), "left by a dead process").unwrap();
        fs::create_dir(path(".flowmask-abcdef123457.part")).unwrap();
        let alive = create_locked(folder.path()).unwrap();
        let first = Temporary::create(folder.path()).unwrap();
        assert!(!path(".flowmask-abcdef123456.part").exists());
        assert!(alive.path().exists() && path(".flowmask-abcdef123457.part").exists());
        assert!(others.iter().all(|name| path(name).exists()));
        // Once a folder is enough.
        fs::write(path(".flowmask-abcdef123456.part"), "").unwrap();
        drop((first, Temporary::create(folder.path()).unwrap()));
        assert!(path(".flowmask-abcdef123456.part").exists());
    }
}
