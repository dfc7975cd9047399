//! Compiles the kernels for a card.
//!
//! The compiler is NVIDIA's library NVRTC, which [`Compiler::find`] loads when it is first needed. It compiles text
//! from this program's memory and needs neither header files nor a driver, so it also works on a machine without a
//! card. The compiled kernels are kept on disk ([`Cache`]).

mod cache;
mod find;
mod library;
mod places;
mod program;

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

pub use cache::Cache;
pub use library::Compiler;

use super::sources::SOURCES;
use crate::{Error, Result};
use cache::Entry;

/// The compiled kernels for one card.
#[derive(Debug)]
pub struct Images {
    /// The name of each file of `kernels`, and its compiled code: a CUBIN, or PTX that ends with a zero byte.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The number of files that were compiled; the others came from the cache.
    pub compiled: usize,
    /// The last error in writing compiled files to the cache, if there was one.
    pub unsaved: Option<Error>,
}

impl Compiler {
    /// Returns the kernels for a card of this compute capability, (major, minor), from the cache or compiled now.
    ///
    /// `progress` is called with the number of files that are compiled so far and the number of files to compile: once
    /// at the start, when the first number is 0, and after each file. It is not called when the cache has all files.
    ///
    /// # Errors
    /// [`Error::Device`] when the card is too old, the library does not even compile an empty kernel, or a kernel does
    /// not compile. A cache that cannot be read or written
    /// is not an error.
    pub fn compile_all(
        &self,
        capability: (i32, i32),
        cache: &Cache,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Images> {
        let target = self.target(capability)?;
        let entries: Vec<Entry> =
            SOURCES.iter().map(|(name, text)| Entry::new(self.version(), target, name, text)).collect();
        let mut images: Vec<Option<Vec<u8>>> = entries.iter().map(|entry| cache.read(entry)).collect();
        let mut missing: Vec<usize> = (0..images.len()).filter(|&i| images[i].is_none()).collect();
        // The longest files come first, so that the threads finish at about the same time.
        missing.sort_by_key(|&i| Reverse(SOURCES[i].1.len()));
        let compiled = missing.len();
        if compiled > 0 {
            self.trial()?;
            progress(0, compiled);
        }
        let mut unsaved = None;
        self.in_parallel(&missing, target, |done, i, image| {
            unsaved = cache.write(&entries[i], &image).err().or(unsaved.take());
            images[i] = Some(image);
            progress(done, compiled);
        })?;
        let names = SOURCES.iter().map(|(name, _)| *name);
        Ok(Images { files: names.zip(images.into_iter().flatten()).collect(), compiled, unsaved })
    }

    /// Compiles these files with as many threads as there are processors. `take` is called for each, with the number of
    /// files that are done, the index of the file and its compiled code.
    fn in_parallel(
        &self,
        files: &[usize],
        target: Target,
        mut take: impl FnMut(usize, usize, Vec<u8>),
    ) -> Result<()> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(files.len());
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    while let Some(&i) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (name, text) = SOURCES[i];
                        // The receiver is gone once a file has failed.
                        if sender.send((i, self.compile_to(target, name, text))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            receiver.into_iter().enumerate().try_for_each(|(before, (i, image))| {
                take(before + 1, i, image?);
                Ok(())
            })
        })
    }
}

/// What a file is compiled to: code for one kind of card, or PTX, which the driver translates for any later card. The
/// number is the architecture, such as 90 for `sm_90`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Cubin(i32),
    Ptx(i32),
}

/// The lowest supported architecture (Ampere): the first with the instructions `cp.async` and `mma.m16n8k16`.
const OLDEST: i32 = 80;

impl Target {
    /// The best target for a card among the architectures that a compiler knows.
    fn of((major, minor): (i32, i32), known: &[i32]) -> Result<Target> {
        let card = major * 10 + minor;
        if card < OLDEST {
            let reason =
                format!("cards need compute capability 8.0 (Ampere) or later, this one has {major}.{minor}");
            return Err(Error::device("cuda", reason));
        }
        if known.contains(&card) {
            return Ok(Target::Cubin(card));
        }
        let before = known.iter().copied().filter(|&other| (OLDEST..card).contains(&other)).max();
        before.map(Target::Ptx).ok_or_else(|| {
            Error::device("cuda", format!("this NVRTC does not know sm_{card}; {}", library::INSTALL))
        })
    }

    /// The name of the target in the compiler's options.
    fn name(self) -> String {
        match self {
            Target::Cubin(architecture) => format!("sm_{architecture}"),
            Target::Ptx(architecture) => format!("compute_{architecture}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_gets_its_own_code_or_the_newest_that_the_driver_can_translate() {
        let known = [75, 80, 86, 89, 90, 100, 120];
        assert_eq!(Target::of((9, 0), &known).unwrap(), Target::Cubin(90));
        assert_eq!(Target::of((8, 0), &known).unwrap().name(), "sm_80");
        // sm_120 cannot be translated for sm_103.
        assert_eq!(Target::of((10, 3), &known).unwrap(), Target::Ptx(100));
        assert_eq!(Target::of((13, 0), &known).unwrap().name(), "compute_120");
        let error = Target::of((7, 5), &known).unwrap_err().to_string();
        assert!(error.contains("8.0") && error.contains("7.5"), "{error}");
        let error = Target::of((8, 0), &[90]).unwrap_err().to_string();
        assert!(error.contains("sm_80") && error.contains("pip install"), "{error}");
    }
}
