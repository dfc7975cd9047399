//! Loads the library NVRTC and compiles with it. Its functions are declared here, because cudarc's bindings panic when
//! the library is missing, and take header files only from disk.

use std::error::Error as _;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr;

use libloading::Library;

use super::{Target, places};
use crate::cuda::sources::HEADERS;
use crate::{Error, Result};

/// The end of messages about a missing library.
pub(super) const INSTALL: &str = "`pip install nvidia-cuda-nvrtc-cu12` or the CUDA toolkit brings one, and \
                                  FLOWMASK_NVRTC can name the library or its folder";

/// The compiler's options besides the architecture. Without fused multiply-adds, results are the same as on the CPU.
/// Division and square root are rounded correctly by default.
pub(super) const OPTIONS: [&str; 3] = ["--std=c++17", "--fmad=false", "--generate-line-info"];

/// The oldest major version that is accepted.
const OLDEST: i32 = 12;

type Program = *mut c_void;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Get = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

/// The compiler of the kernels: an NVRTC library that is loaded.
#[derive(Debug)]
pub struct Compiler {
    path: PathBuf,
    version: (i32, i32),
    architectures: Vec<i32>,
    functions: Functions,
    /// Never unloaded, since other code in the process may use it.
    _library: ManuallyDrop<Library>,
}

/// The functions of the library.
#[derive(Clone, Copy, Debug)]
struct Functions {
    version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int,
    /// The number of architectures, and the list of them.
    architectures: [unsafe extern "C" fn(*mut c_int) -> c_int; 2],
    error: unsafe extern "C" fn(c_int) -> *const c_char,
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    log: (Size, Get),
    cubin: (Size, Get),
    ptx: (Size, Get),
}

impl Functions {
    fn of(library: &Library) -> std::result::Result<Self, libloading::Error> {
        fn symbol<T: Copy>(library: &Library, name: &str) -> std::result::Result<T, libloading::Error> {
            // SAFETY: the types are those of nvrtc.h, the same in all versions since 11.2.
            unsafe { library.get::<T>(name) }.map(|symbol| *symbol)
        }
        let get = |name| symbol(library, name);
        Ok(Functions {
            version: symbol(library, "nvrtcVersion")?,
            architectures: [get("nvrtcGetNumSupportedArchs")?, get("nvrtcGetSupportedArchs")?],
            error: symbol(library, "nvrtcGetErrorString")?,
            create: symbol(library, "nvrtcCreateProgram")?,
            compile: symbol(library, "nvrtcCompileProgram")?,
            destroy: symbol(library, "nvrtcDestroyProgram")?,
            log: (symbol(library, "nvrtcGetProgramLogSize")?, symbol(library, "nvrtcGetProgramLog")?),
            cubin: (symbol(library, "nvrtcGetCUBINSize")?, symbol(library, "nvrtcGetCUBIN")?),
            ptx: (symbol(library, "nvrtcGetPTXSize")?, symbol(library, "nvrtcGetPTX")?),
        })
    }
}

impl Compiler {
    /// Loads the library that the environment variable `FLOWMASK_NVRTC` names, or else the first one that the system's
    /// loader, the CUDA toolkit or a Python environment has. `driver` is the CUDA version of the driver that will load
    /// the compiled code. A driver refuses the code of a later NVRTC, so a library that is not later is preferred.
    ///
    /// # Errors
    /// [`Error::Device`] when no library is found or none can be loaded; it says what to install.
    pub fn find(driver: Option<(i32, i32)>) -> Result<Self> {
        let (mut later, mut refused) = (None, None);
        for path in places::candidates()? {
            match Self::open(&path) {
                Ok(found) if driver.is_none_or(|(major, _)| found.version.0 <= major) => return Ok(found),
                Ok(found) => later = later.or(Some(found)),
                Err(error) if path.is_absolute() => refused = refused.or(Some(error)),
                // The candidate is only a name, which the system's loader does not know.
                Err(_) => {}
            }
        }
        later.ok_or_else(|| {
            refused.unwrap_or_else(|| {
                Error::device("cuda", format!("NVRTC, the compiler of the kernels, was not found; {INSTALL}"))
            })
        })
    }

    /// Loads the library at a path, or with a name that the system's loader knows.
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
        Ok(Compiler { path, version: (major, minor), architectures, functions, _library: library })
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
        let attempt = || {
            let program = Running::new(&self.functions, &format!("{file}.cu"), text)?;
            program.compile(target)?;
            match target {
                Target::Cubin(_) => program.read(self.functions.cubin),
                Target::Ptx(_) => program.read(self.functions.ptx),
            }
        };
        attempt().map_err(|reason| {
            let reason = format!("{} cannot compile {file}.cu for {}: {reason}", self.name(), target.name());
            Error::device("cuda", reason)
        })
    }
}

impl Functions {
    /// Turns an error code into the text of the error.
    fn check(&self, code: c_int) -> std::result::Result<(), String> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the function returns a constant text for every code, or null.
        let text = unsafe { (self.error)(code) };
        match text.is_null() {
            true => Err(format!("error {code}")),
            // SAFETY: the text is not null, is constant and ends with a zero byte.
            false => Err(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()),
        }
    }

    /// The architectures that the library can compile for.
    fn known(&self) -> std::result::Result<Vec<i32>, String> {
        let mut count = 0;
        // SAFETY: the pointer is valid for a number.
        self.check(unsafe { (self.architectures[0])(&mut count) })?;
        let mut known = vec![0; count.max(0) as usize];
        // SAFETY: the list has as many elements as the library reported.
        self.check(unsafe { (self.architectures[1])(known.as_mut_ptr()) })?;
        Ok(known)
    }
}

/// A text that is being compiled.
struct Running<'a> {
    functions: &'a Functions,
    program: Program,
}

impl<'a> Running<'a> {
    fn new(functions: &'a Functions, file: &str, text: &str) -> std::result::Result<Self, String> {
        let c_string = |text: &str| CString::new(text).map_err(|_| format!("{file} has a zero byte"));
        let (text, name) = (c_string(text)?, c_string(file)?);
        let headers =
            HEADERS.iter().map(|(name, text)| Ok((c_string(&format!("{name}.cuh"))?, c_string(text)?)));
        let headers: Vec<(CString, CString)> = headers.collect::<std::result::Result<_, String>>()?;
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_ptr()).collect();
        let texts: Vec<_> = headers.iter().map(|(_, text)| text.as_ptr()).collect();
        let mut program = ptr::null_mut();
        // SAFETY: the texts end with a zero byte and live until the call returns; NVRTC copies them.
        let code = unsafe {
            let count = headers.len() as c_int;
            (functions.create)(
                &mut program,
                text.as_ptr(),
                name.as_ptr(),
                count,
                texts.as_ptr(),
                names.as_ptr(),
            )
        };
        functions.check(code)?;
        Ok(Running { functions, program })
    }

    fn compile(&self, target: Target) -> std::result::Result<(), String> {
        let architecture = format!("--gpu-architecture={}", target.name());
        let options = OPTIONS.into_iter().chain([architecture.as_str()]);
        let options: Vec<CString> = options.flat_map(CString::new).collect();
        let pointers: Vec<_> = options.iter().map(|option| option.as_ptr()).collect();
        // SAFETY: the program was created, and the options live until the call returns.
        let code =
            unsafe { (self.functions.compile)(self.program, pointers.len() as c_int, pointers.as_ptr()) };
        self.functions.check(code).map_err(|error| match self.read(self.functions.log) {
            Ok(log) => format!("{error}\n{}", String::from_utf8_lossy(&log).trim_matches(['\0', '\n'])),
            Err(_) => error,
        })
    }

    /// Reads the log or the compiled code.
    fn read(&self, (size, get): (Size, Get)) -> std::result::Result<Vec<u8>, String> {
        let mut length = 0;
        // SAFETY: the program was created, and the pointer is valid for a number.
        self.functions.check(unsafe { size(self.program, &mut length) })?;
        let mut bytes = vec![0; length];
        // SAFETY: there are as many bytes as the library reported.
        self.functions.check(unsafe { get(self.program, bytes.as_mut_ptr().cast()) })?;
        match bytes.is_empty() {
            true => Err("the result is empty".into()),
            false => Ok(bytes),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // SAFETY: the program was created, and is not used after this.
        unsafe { (self.functions.destroy)(&mut self.program) };
    }
}
