//! Keeps compiled kernels on disk.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Target, program};
use crate::atomic::write_atomic;
use crate::cuda::sources::{HEADERS, SOURCES};
use crate::{Error, Result, folders};

/// A folder of compiled kernels. Several processes can use it at once, and it can be deleted at any time: an entry that
/// is damaged counts as missing, and kernels also run when no entry can be written.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
}

/// Bytes of the checksum that follows the content of an entry.
const CHECKSUM: usize = 32;

/// A file of kernels that one compiler compiles for one architecture, or what was measured on a kind of card.
#[derive(Debug)]
pub(in crate::cuda) struct Entry {
    /// The file's name in the folder: a description for people, then a part of the key.
    file: String,
    /// The hash of everything that the compiled code depends on.
    key: [u8; 32],
}

impl Entry {
    /// The entry of the file `name` with this text; the version is that of the compiler.
    pub(super) fn new((major, minor): (i32, i32), target: Target, name: &str, text: &str) -> Self {
        let compiler = format!("{major}.{minor}");
        let architecture = target.name();
        let mut parts = vec![env!("CARGO_PKG_VERSION"), &compiler, &architecture];
        parts.extend(program::OPTIONS);
        parts.extend(HEADERS.iter().flat_map(|&(name, text)| [name, text]));
        parts.extend([name, text]);
        let ending = match target {
            Target::Cubin(_) | Target::Specific(_) => "cubin",
            Target::Ptx(_) => "ptx",
        };
        Self::of(&format!("{name}.{architecture}.nvrtc-{compiler}"), ending, &parts)
    }

    /// The entry of what was measured on a kind of card, with kernels by this compiler under this driver.
    pub(in crate::cuda) fn choice(
        compiler: (i32, i32),
        driver: (i32, i32),
        card: &str,
        capability: (i32, i32),
    ) -> Self {
        let version = |(major, minor)| format!("{major}.{minor}");
        let versions = [compiler, driver, capability].map(version);
        let mut parts = vec![env!("CARGO_PKG_VERSION"), card];
        parts.extend(versions.iter().map(String::as_str));
        parts.extend(program::OPTIONS);
        parts.extend(HEADERS.iter().chain(SOURCES).flat_map(|&(name, text)| [name, text]));
        let card: String = card.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Self::of(&format!("choice.{card}.nvrtc-{}", versions[0]), "json", &parts)
    }

    fn of(name: &str, ending: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With the lengths, different parts cannot give the same bytes.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let key: [u8; 32] = hash.finalize().into();
        let mut short = String::new();
        for byte in &key[..8] {
            let _ = write!(short, "{byte:02x}");
        }
        Entry { file: format!("{name}.{short}.{ending}"), key }
    }

    /// The checksum of key and content. With the key in it, a file that was renamed is not read as another entry.
    fn checksum(&self, content: &[u8]) -> [u8; CHECKSUM] {
        Sha256::new().chain_update(self.key).chain_update(content).finalize().into()
    }
}

impl Cache {
    /// The cache of the user: the folder that the environment variable `FLOWMASK_CACHE` names, or else
    /// `flowmask/kernels` in the platform's folder for caches, such as `~/.cache` (or `XDG_CACHE_HOME`).
    pub fn user() -> Self {
        let folder = folders::variable("FLOWMASK_CACHE")
            .or_else(|| folders::cache().map(|folder| folder.join("kernels")));
        Cache { folder }
    }

    /// A cache in this folder, which is created when the first entry is written.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Cache { folder: Some(folder.into()) }
    }

    /// The folder; `None` when the user has no home folder.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The content of an entry, if the entry exists and is not damaged.
    pub(in crate::cuda) fn read(&self, entry: &Entry) -> Option<Vec<u8>> {
        let mut content = std::fs::read(self.folder.as_ref()?.join(&entry.file)).ok()?;
        let checksum = content.split_off(content.len().checked_sub(CHECKSUM)?);
        (entry.checksum(&content) == checksum[..]).then_some(content)
    }

    /// Writes an entry.
    pub(in crate::cuda) fn write(&self, entry: &Entry, content: &[u8]) -> Result<()> {
        let folder = self.created()?;
        write_atomic(&folder.join(&entry.file), |file| {
            file.write_all(content)?;
            file.write_all(&entry.checksum(content))
        })
    }

    /// The path of a file beside an entry, which has the entry's name and this ending.
    pub(in crate::cuda) fn beside(&self, entry: &Entry, ending: &str) -> Result<PathBuf> {
        Ok(self.created()?.join(&entry.file).with_extension(ending))
    }

    /// The folder, which is there then.
    fn created(&self) -> Result<&Path> {
        let none =
            || Error::device("cuda", "there is no home folder for a cache; FLOWMASK_CACHE can name one");
        let folder = self.folder.as_ref().ok_or_else(none)?;
        std::fs::create_dir_all(folder).map_err(|e| Error::write(folder, e))?;
        Ok(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_of_a_compilation_is_in_its_key() {
        let entry = |version, target, name, text| Entry::new(version, target, name, text);
        let entries = [
            entry((12, 9), Target::Cubin(90), "a", "bc"),
            entry((13, 5), Target::Cubin(90), "a", "bc"),
            entry((12, 9), Target::Cubin(80), "a", "bc"),
            entry((12, 9), Target::Specific(90), "a", "bc"),
            entry((12, 9), Target::Ptx(90), "a", "bc"),
            entry((12, 9), Target::Cubin(90), "ab", "c"),
            entry((12, 9), Target::Cubin(90), "a", "bd"),
            Entry::choice((12, 9), (13, 0), "A card", (9, 0)),
            Entry::choice((12, 9), (13, 0), "A-card", (9, 0)),
            Entry::choice((12, 9), (13, 0), "A card", (8, 0)),
            Entry::choice((12, 9), (12, 9), "A card", (9, 0)),
            Entry::choice((13, 5), (13, 0), "A card", (9, 0)),
        ];
        for (i, a) in entries.iter().enumerate() {
            assert!(entries[..i].iter().all(|b| a.key != b.key && a.file != b.file), "{}", a.file);
        }
        assert!(entries[0].file.starts_with("a.sm_90.nvrtc-12.9."), "{}", entries[0].file);
    }

    #[test]
    fn an_entry_is_read_back_only_if_it_is_not_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("new"));
        let entry = Entry::new((12, 9), Target::Cubin(90), "a", "b");
        assert_eq!(cache.read(&entry), None);
        cache.write(&entry, b"content").unwrap();
        assert_eq!(cache.read(&entry).unwrap(), b"content");
        let path = folder.path().join("new").join(&entry.file);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(cache.read(&entry), None, "{length} bytes");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert_eq!(cache.read(&entry), None, "byte {place}");
        }
        // The file of another entry gets the name of this entry.
        let other = Entry::new((12, 9), Target::Cubin(90), "a", "c");
        cache.write(&other, b"content").unwrap();
        std::fs::rename(folder.path().join("new").join(&other.file), &path).unwrap();
        assert_eq!(cache.read(&entry), None);
    }
}
