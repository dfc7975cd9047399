//! An NVRTC library that is loaded.

use std::error::Error as _;
use std::ffi::c_void;
use std::mem::{self, ManuallyDrop};
use std::path::{Path, PathBuf};

use libloading::Library;

use super::program::{Functions, Running};
use super::{Target, places};
use crate::{Error, Result};

/// The end of messages about a missing library.
pub(super) const INSTALL: &str = "`pip install nvidia-cuda-nvrtc-cu12` or the CUDA toolkit brings one, and \
                                  FLOWMASK_NVRTC can name the library or its folder";

/// The oldest major version that is accepted.
const OLDEST: i32 = 12;

/// The compiler of the kernels: an NVRTC library that is loaded.
#[derive(Debug)]
pub struct Compiler {
    path: PathBuf,
    version: (i32, i32),
    architectures: Vec<i32>,
    functions: Functions,
    /// Why other libraries were not taken.
    passed_over: Vec<Error>,
    /// Never unloaded, since other code in the process may use it.
    _library: ManuallyDrop<Library>,
}

impl Compiler {
    /// Loads the library at a path, or with a name that the system's loader knows, and the library of its built-in
    /// declarations that is beside it. That it compiles is not tried yet.
    ///
    /// # Errors
    /// [`Error::Device`] when the library cannot be loaded, or is not NVRTC 12 or later.
    pub fn open(path: &Path) -> Result<Self> {
        let error = |reason: String| Error::device("cuda", format!("{} {reason}; {INSTALL}", path.display()));
        let cause = |e: libloading::Error| {
            let cause = e.source().map_or_else(|| e.to_string(), ToString::to_string);
            cause.trim_start_matches(&format!("{}: ", path.display())).to_owned()
        };
        // SAFETY: loading NVRTC has no preconditions; the library has its name, or the user says that it is NVRTC.
        let library = unsafe { Library::new(path) }.map_err(|e| {
            error(format!("cannot be loaded as NVRTC, the compiler of the kernels ({})", cause(e)))
        })?;
        let library = ManuallyDrop::new(library);
        let functions =
            Functions::of(&library).map_err(|e| error(format!("is not NVRTC 12 or later ({})", cause(e))))?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both pointers are valid for a number.
        let code = unsafe { (functions.version)(&mut major, &mut minor) };
        if code != 0 || major < OLDEST {
            return Err(error(format!("is NVRTC {major}.{minor}, which is too old")));
        }
        let architectures =
            functions.known().map_err(|e| error(format!("does not tell its architectures ({e})")))?;
        let path = places::loaded(path, functions.version as *const c_void);
        let version = (major, minor);
        load_builtins(&path, version);
        Ok(Compiler { path, version, architectures, functions, passed_over: Vec::new(), _library: library })
    }

    /// Compiles an empty kernel for the latest card that the library knows; that takes some 30 ms. A library that lacks
    /// a part of itself shows it only here.
    ///
    /// # Errors
    /// [`Error::Device`] with the compiler's messages.
    pub(super) fn trial(&self) -> Result<()> {
        let latest = self.architectures.iter().copied().max().unwrap_or(super::OLDEST);
        let made = self.code(Target::Cubin(latest), "trial", "extern \"C\" __global__ void trial() {}");
        made.map(drop).map_err(|reason| {
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            Error::device(
                "cuda",
                format!("{} cannot compile an empty kernel ({reason}); {INSTALL}", self.name()),
            )
        })
    }

    /// The libraries that were found before this one and cannot be used, each with the reason.
    pub fn passed_over(&self) -> &[Error] {
        &self.passed_over
    }

    pub(super) fn instead_of(self, passed_over: Vec<Error>) -> Self {
        Compiler { passed_over, ..self }
    }

    /// The path of the library, or only its name where the system does not tell the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of the library, (major, minor), such as (12, 9).
    pub fn version(&self) -> (i32, i32) {
        self.version
    }

    /// The name of the library in messages.
    pub(super) fn name(&self) -> String {
        format!("NVRTC {}.{} ({})", self.version.0, self.version.1, self.path.display())
    }

    /// Compiles one text for a card of this compute capability, (major, minor). The text may include the headers of
    /// `kernels`; `file` is its name in messages. The result is a CUBIN, or, where this compiler does not know the
    /// card, PTX that ends with a zero byte.
    ///
    /// # Errors
    /// [`Error::Device`] when the text does not compile, with the compiler's messages, or when the card is too old.
    pub fn compile(&self, file: &str, text: &str, capability: (i32, i32)) -> Result<Vec<u8>> {
        self.compile_to(self.target(capability)?, file, text)
    }

    pub(super) fn target(&self, capability: (i32, i32)) -> Result<Target> {
        Target::of(capability, &self.architectures)
    }

    pub(super) fn compile_to(&self, target: Target, file: &str, text: &str) -> Result<Vec<u8>> {
        self.code(target, file, text).map_err(|reason| {
            let reason = format!("{} cannot compile {file}.cu for {}: {reason}", self.name(), target.name());
            Error::device("cuda", reason)
        })
    }

    fn code(&self, target: Target, file: &str, text: &str) -> std::result::Result<Vec<u8>, String> {
        let program = Running::new(&self.functions, &format!("{file}.cu"), text)?;
        program.compile(target)?;
        match target {
            Target::Cubin(_) | Target::Specific(_) => program.read(self.functions.cubin),
            Target::Ptx(_) => program.read(self.functions.ptx),
        }
    }
}

/// Loads the built-in declarations of an NVRTC, which it looks for by their name alone when it compiles. NVRTC 13.0.88,
/// which PyTorch for CUDA 13 installs, does not tell the loader to look beside itself; but a library of that name that
/// is loaded already is found. What cannot be loaded here is left to NVRTC.
fn load_builtins(nvrtc: &Path, version: (i32, i32)) {
    for path in places::builtins(nvrtc, version) {
        // SAFETY: loading them has no preconditions. They stay loaded, as NVRTC itself.
        if let Ok(library) = unsafe { Library::new(path) } {
            mem::forget(library);
        }
    }
}
