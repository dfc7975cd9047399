//! The kernels through NVRTC, without a GPU. `FLOWMASK_TEST_NVRTC` lists libraries to test with, as PATH does;
//! `FLOWMASK_TEST_CUBINS` names a folder that keeps what they made. With `FLOWMASK_REQUIRE_NVRTC=1` a plain `cargo test`
//! runs all tests too, and fails without NVRTC.

#[path = "common/required.rs"]
mod required;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use flowmask::Error;
use flowmask::cuda::nvrtc::{Cache, Compiler, Images};

/// Cards with code of their own: A100, RTX 3090, L40, H100, B200, RTX 5090.
const CARDS: [(i32, i32); 6] = [(8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)];

fn compilers() -> Vec<Compiler> {
    let paths = std::env::var_os("FLOWMASK_TEST_NVRTC").unwrap_or_default();
    let paths = std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty());
    let compilers: Vec<Compiler> = paths.map(|path| Compiler::open(&path).unwrap()).collect();
    assert!(!compilers.is_empty(), "FLOWMASK_TEST_NVRTC names no NVRTC");
    compilers
}

#[test]
fn without_nvrtc_the_tests_that_take_it_fail() {
    let absent = [("FLOWMASK_TEST_NVRTC", "")];
    required::check("FLOWMASK_REQUIRE_NVRTC", &["--ignored"], &absent, "names no NVRTC");
}

/// Compiles all, and checks what is told meanwhile.
fn compile(compiler: &Compiler, card: (i32, i32), cache: &Cache) -> Images {
    let told = Cell::new(None);
    let images = compiler.compile_all(card, cache, &|done, all| {
        assert_eq!(done, told.get().map_or(0, |(done, _)| done + 1), "files are counted from 0 on");
        told.set(Some((done, all)));
    });
    let images = images.unwrap_or_else(|error| panic!("{error}"));
    let all = (images.compiled > 0).then_some((images.compiled, images.compiled));
    assert_eq!(told.get(), all, "progress is told to the end, or nothing is");
    images
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
#[ignore = "takes NVRTC: kernels/limits/ci.sh runs it"]
fn every_kernel_compiles_for_every_card_and_comes_back_from_the_cache() {
    let scratch = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("FLOWMASK_TEST_CUBINS").filter(|folder| !folder.is_empty());
    let cache = Cache::at(kept.map_or(scratch.path().join("cache"), PathBuf::from));
    for compiler in compilers() {
        for card in CARDS {
            let first = compile(&compiler, card, &cache);
            assert!(!first.files.is_empty() && first.unsaved.is_none());
            // Kernels of one architecture are there on its cards alone, and are no failure elsewhere.
            let own = first.files.iter().any(|(name, _)| *name == "conv_sm_90a");
            let absent: Vec<&str> = first.absent.iter().map(|(name, _)| *name).collect();
            assert!(own == (card == (9, 0)) && own != (absent == ["conv_sm_90a"]), "{card:?}: {absent:?}");
            for (name, image) in &first.files {
                assert!(image.starts_with(b"\x7fELF"), "{name} is no CUBIN");
            }
            let second = compile(&compiler, card, &cache);
            assert_eq!(second.compiled, 0);
            assert!(second.files == first.files);
        }
    }
}

#[test]
#[ignore = "takes NVRTC: kernels/limits/ci.sh runs it"]
fn a_card_that_is_newer_than_the_compiler_gets_ptx() {
    let scratch = tempfile::tempdir().unwrap();
    for compiler in compilers() {
        let images = compile(&compiler, (99, 0), &Cache::at(scratch.path()));
        for (name, image) in images.files {
            let (end, text) = image.split_last().unwrap();
            let text = std::str::from_utf8(text).unwrap();
            assert!(*end == 0 && text.contains(".target sm_") && text.contains(".entry"), "{name}");
        }
    }
}

#[test]
#[ignore = "takes NVRTC: kernels/limits/ci.sh runs it"]
fn entries_that_are_not_whole_are_compiled_again() {
    let scratch = tempfile::tempdir().unwrap();
    let cache = Cache::at(scratch.path());
    let compiler = compilers().remove(0);
    let first = compile(&compiler, (9, 0), &cache);
    let paths = entries(scratch.path());
    assert_eq!((paths.len(), first.compiled), (first.files.len(), first.files.len()));
    for (i, path) in paths.iter().enumerate() {
        let mut content = std::fs::read(path).unwrap();
        match i % 3 {
            0 => content.truncate(content.len() / 2),
            1 => content[100] ^= 1,
            _ => content.clear(),
        }
        std::fs::write(path, content).unwrap();
    }
    // Names in the code may differ from those of the first time.
    let again = compile(&compiler, (9, 0), &cache);
    assert_eq!(again.compiled, first.compiled);
    let read = compile(&compiler, (9, 0), &cache);
    assert!(read.compiled == 0 && read.files == again.files);
}

#[test]
#[ignore = "takes NVRTC: kernels/limits/ci.sh runs it"]
fn a_cache_that_cannot_be_written_is_no_error() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let compiler = compilers().remove(0);
    let images = compile(&compiler, (8, 0), &Cache::at(&file));
    assert!(images.compiled > 0 && images.compiled == images.files.len());
    assert!(matches!(&images.unsaved, Some(Error::Write { path, .. }) if path == &file));
}

#[test]
#[ignore = "takes NVRTC: kernels/limits/ci.sh runs it"]
fn the_message_of_a_bad_text_has_the_compilers_log() {
    for compiler in compilers() {
        let text =
            "#include \"prims.cuh\"\nextern \"C\" __global__ void k(u32* out) {\n  *out = nothing;\n}\n";
        let error = compiler.compile("bad", text, (9, 0)).unwrap_err().to_string();
        for part in ["bad.cu(3)", "identifier \"nothing\" is undefined", "sm_90", "NVRTC 1"] {
            assert!(error.contains(part), "{part} in {error}");
        }
        let error = compiler.compile("zero", "\0", (9, 0)).unwrap_err().to_string();
        assert!(error.contains("zero.cu"), "{error}");
        let error = compiler.compile("fill", "", (7, 5)).unwrap_err().to_string();
        assert!(error.contains("8.0"), "{error}");
    }
}

#[test]
fn what_is_not_nvrtc_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let refused = |path: &Path, reason: &str| {
        let error = Compiler::open(path).unwrap_err();
        assert!(matches!(error, Error::Device { .. }));
        let error = error.to_string();
        for part in [path.to_str().unwrap(), reason, "pip install nvidia-cuda-nvrtc-cu12", "FLOWMASK_NVRTC"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    };
    let path = scratch.path().join("libnvrtc.so.12");
    refused(&path, "cannot be loaded");
    for content in ["", "these are words"] {
        std::fs::write(&path, content).unwrap();
        refused(&path, "cannot be loaded");
    }
    #[cfg(target_os = "linux")]
    refused(Path::new("libm.so.6"), "is not NVRTC");
}
