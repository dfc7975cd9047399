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
pub(in crate::cuda) use cache::Entry;
pub(in crate::cuda) use find::reason;
pub use library::Compiler;

use super::sources::SOURCES;
use crate::{Error, Result};

/// The compiled kernels for one card.
#[derive(Debug)]
pub struct Images {
    /// The name of each file of `kernels`, and its compiled code: a CUBIN, or PTX that ends with a zero byte.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The files that are not for this card, or do not compile for it, with the reasons. No card needs them.
    pub absent: Vec<(&'static str, String)>,
    /// The number of files that were compiled; the others came from the cache.
    pub compiled: usize,
    /// The version of the compiler, (major, minor).
    pub compiler: (i32, i32),
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
    /// [`Error::Device`] when the card is too old, the library does not even compile an empty kernel, or a kernel that
    /// all cards need does not compile. A cache that cannot be read or written is not an error.
    pub fn compile_all(
        &self,
        capability: (i32, i32),
        cache: &Cache,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Images> {
        let card = self.target(capability)?;
        let (mut files, mut absent) = (Vec::new(), Vec::new());
        for &(name, text) in SOURCES {
            match self.target_of(name, card, capability) {
                Ok(target) => files.push(File { name, text, target }),
                Err(reason) => absent.push((name, reason)),
            }
        }
        let entries: Vec<Entry> =
            files.iter().map(|f| Entry::new(self.version(), f.target, f.name, f.text)).collect();
        let mut images: Vec<Option<Vec<u8>>> = entries.iter().map(|entry| cache.read(entry)).collect();
        let mut missing: Vec<usize> = (0..images.len()).filter(|&i| images[i].is_none()).collect();
        // The longest files come first, so that the threads finish at about the same time.
        missing.sort_by_key(|&i| Reverse(files[i].text.len()));
        let missing: Vec<(usize, File)> = missing.into_iter().map(|i| (i, files[i])).collect();
        let mut compiled = missing.len();
        if compiled > 0 {
            self.trial()?;
            progress(0, compiled);
        }
        let (mut unsaved, all) = (None, compiled);
        self.in_parallel(&missing, |done, i, image| {
            match image {
                Ok(image) => {
                    unsaved = cache.write(&entries[i], &image).err().or(unsaved.take());
                    images[i] = Some(image);
                }
                Err(error) if specific(files[i].name).is_some() => {
                    absent.push((files[i].name, reason(&error)));
                    compiled -= 1;
                }
                Err(error) => return Err(error),
            }
            progress(done, all);
            Ok(())
        })?;
        let there = files.iter().zip(images).filter_map(|(file, image)| Some((file.name, image?)));
        Ok(Images { files: there.collect(), absent, compiled, compiler: self.version(), unsaved })
    }

    /// What a file is compiled to for a card, or why it is not: the name of a file for one architecture alone ends with
    /// it, as in `conv_sm_90a`.
    fn target_of(
        &self,
        name: &str,
        card: Target,
        (major, minor): (i32, i32),
    ) -> std::result::Result<Target, String> {
        match specific(name) {
            None => Ok(card),
            Some(of) if of != major * 10 + minor => {
                Err(format!("it is for compute capability {}.{} alone", of / 10, of % 10))
            }
            Some(of) if card == Target::Cubin(of) => Ok(Target::Specific(of)),
            Some(of) => Err(format!("{} does not know sm_{of}a", self.name())),
        }
    }

    /// Compiles these files with as many threads as there are processors. `take` is called for each, with the number of
    /// files that are done, the index of the file and its compiled code.
    fn in_parallel(
        &self,
        files: &[(usize, File)],
        mut take: impl FnMut(usize, usize, Result<Vec<u8>>) -> Result<()>,
    ) -> Result<()> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(files.len());
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    while let Some(&(i, file)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // The receiver is gone once a file has failed.
                        if sender.send((i, self.compile_to(file.target, file.name, file.text))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            receiver.into_iter().enumerate().try_for_each(|(before, (i, image))| take(before + 1, i, image))
        })
    }
}

/// A file of kernels that is to be compiled.
#[derive(Clone, Copy)]
struct File {
    name: &'static str,
    text: &'static str,
    target: Target,
}

/// The architecture that a file is for alone, such as 90 for `conv_sm_90a`, whose instructions no other card has.
pub(in crate::cuda) fn specific(name: &str) -> Option<i32> {
    name.rsplit_once("_sm_")?.1.strip_suffix('a')?.parse().ok()
}

/// What a file is compiled to: code for one kind of card, also with the instructions that no other kind has, or PTX,
/// which the driver translates for any later card. The number is the architecture, such as 90 for `sm_90`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Cubin(i32),
    Specific(i32),
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
            Target::Specific(architecture) => format!("sm_{architecture}a"),
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
        assert_eq!(Target::Specific(90).name(), "sm_90a");
        assert_eq!(
            ["conv_sm_90a", "conv_sm_90", "conv_f32", "sm_90a"].map(specific),
            [Some(90), None, None, None]
        );
        let error = Target::of((7, 5), &known).unwrap_err().to_string();
        assert!(error.contains("8.0") && error.contains("7.5"), "{error}");
        let error = Target::of((8, 0), &[90]).unwrap_err().to_string();
        assert!(error.contains("sm_80") && error.contains("pip install"), "{error}");
    }
}
