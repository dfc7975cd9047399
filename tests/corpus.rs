//! Replays the inputs of the fuzz targets: every fault that fuzzing found, and inputs that reach much of the code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// How long an input may take. In a build for debugging on a busy machine, those here take less than a second.
const TIME: Duration = Duration::from_secs(10);
/// The memory that the whole test may take at its peak, in kB.
const MEMORY: u64 = 1 << 20;

#[test]
fn no_input_panics_or_takes_much_time_or_memory() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus");
    for target in targets::TARGETS {
        let inputs = files(&corpus.join(target));
        assert!(!inputs.is_empty(), "{target} has no inputs");
        for path in inputs {
            let bytes = fs::read(&path).unwrap();
            let (send, done) = mpsc::channel();
            thread::spawn(move || {
                // The test may have given up.
                let _ = send.send(catch_unwind(AssertUnwindSafe(|| targets::read(target, &bytes))).is_ok());
            });
            let ended = done.recv_timeout(TIME);
            assert_eq!(ended, Ok(true), "{} panics, or takes more than {TIME:?}", path.display());
            let memory = peak();
            assert!(memory < MEMORY, "{} takes {memory} kB", path.display());
        }
    }
}

/// Every target has a program, and every folder of inputs a target.
#[test]
fn targets_programs_and_inputs_have_the_same_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["fuzz/fuzz_targets", "tests/data/corpus"] {
        let names: Vec<_> = files(&root.join(folder));
        let names: Vec<_> = names.iter().map(|path| path.file_stem().unwrap()).collect();
        assert_eq!(names, targets::TARGETS, "{folder}");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The most memory that this process has had, in kB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}
