//! The functions of NVRTC, and a text that is being compiled. They are declared here, because cudarc's bindings panic when
//! the library is missing, and take header files only from disk.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use libloading::Library;

use super::Target;
use crate::cuda::sources::HEADERS;

/// The compiler's options besides the architecture. Without fused multiply-adds, results are the same as on the CPU.
/// Division and square root are rounded correctly by default.
pub(super) const OPTIONS: [&str; 3] = ["--std=c++17", "--fmad=false", "--generate-line-info"];

pub(super) type Program = *mut c_void;
pub(super) type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
pub(super) type Get = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

/// The functions of the library.
#[derive(Clone, Copy, Debug)]
pub(super) struct Functions {
    pub(super) version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int,
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
    pub(super) cubin: (Size, Get),
    pub(super) ptx: (Size, Get),
}

impl Functions {
    pub(super) fn of(library: &Library) -> std::result::Result<Self, libloading::Error> {
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
    pub(super) fn known(&self) -> std::result::Result<Vec<i32>, String> {
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
pub(super) struct Running<'a> {
    functions: &'a Functions,
    program: Program,
}

impl<'a> Running<'a> {
    pub(super) fn new(functions: &'a Functions, file: &str, text: &str) -> std::result::Result<Self, String> {
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

    pub(super) fn compile(&self, target: Target) -> std::result::Result<(), String> {
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
    pub(super) fn read(&self, (size, get): (Size, Get)) -> std::result::Result<Vec<u8>, String> {
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
