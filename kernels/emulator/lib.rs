//! Runs the CUDA kernels on the processor, so that they are tested where there is no GPU.
//!
//! Two shared libraries stand in for the CUDA driver (`libcuda.so`) and for NVRTC (`libnvrtc.so.13`). A process that has
//! them loaded ([`load`]), or whose `LD_LIBRARY_PATH` begins with their folder ([`folder`]), finds GPUs: the program
//! under test is the one that users have and knows nothing of this.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::Library;

/// The folder of the two libraries.
pub fn folder() -> &'static Path {
    Path::new(env!("FLOWMASK_EMULATOR"))
}

/// Loads both libraries, so that whoever looks for the driver and for NVRTC in this process finds these. Unless
/// `FLOWMASK_REQUIRE_GPU` is set: then tests are for the GPU of the machine, and nothing is loaded. Returns whether the
/// emulator stands in.
///
/// `FLOWMASK_EMULATOR_LIBRARY` names another library in place of the driver's.
///
/// # Panics
/// When the libraries cannot be loaded.
pub fn load() -> bool {
    driver().is_some()
}

fn driver() -> Option<&'static Library> {
    static DRIVER: OnceLock<Option<Library>> = OnceLock::new();
    let load = || {
        if std::env::var_os("FLOWMASK_REQUIRE_GPU").is_some_and(|required| !required.is_empty()) {
            return None;
        }
        // What stands in for compiled kernels is not for the user's cache.
        // SAFETY: the emulator, which reads variables outside Rust, is not loaded yet.
        unsafe { std::env::set_var("FLOWMASK_CACHE", folder().join("cache")) };
        let open = |path: &Path| {
            // SAFETY: the libraries are this crate's, and run nothing when they are loaded.
            unsafe { Library::new(path) }.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let named = std::env::var_os("FLOWMASK_EMULATOR_LIBRARY").map(PathBuf::from);
        std::mem::forget(open(&folder().join("libnvrtc.so.13")));
        Some(open(&named.unwrap_or_else(|| folder().join("libcuda.so"))))
    };
    DRIVER.get_or_init(load).as_ref()
}

/// A function of the emulator that the driver does not have.
///
/// # Safety
/// `F` is its type.
unsafe fn function<F: Copy>(name: &str) -> F {
    let driver = driver().expect("the emulator, which FLOWMASK_REQUIRE_GPU leaves out");
    // SAFETY: as the caller says.
    *unsafe { driver.get::<F>(name) }.unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Chooses the order in which the threads of a kernel run (0 in step, 1 each warp as far as it can, 2 the same
/// backwards, 3 random by `seed`) and whether asynchronous copies arrive at once or only when waited for.
pub fn schedule(order: i32, eager: bool, seed: u64) {
    // SAFETY: the function has this type.
    unsafe { function::<unsafe extern "C" fn(i32, i32, u64)>("emu_options")(order, eager.into(), seed) };
}

/// What this thread's launches did since the last call: products of matrices (`mma`), matrices read (`ldmatrix`),
/// bank conflicts of these, barriers, shuffles, asynchronous copies, switches of threads.
pub fn statistics() -> [u64; 7] {
    let mut out = [0; 7];
    // SAFETY: the function has this type, and writes seven numbers.
    unsafe { function::<unsafe extern "C" fn(*mut u64)>("emu_stats")(out.as_mut_ptr()) };
    out
}

/// The memory of a device: allocations that were not freed, their bytes, the most bytes at any time; and the
/// allocations of pinned memory.
pub fn memory(ordinal: usize) -> [u64; 4] {
    let mut out = [0; 4];
    // SAFETY: the function has this type, and writes four numbers.
    unsafe {
        function::<unsafe extern "C" fn(i32, *mut u64)>("emu_memory")(ordinal as i32, out.as_mut_ptr())
    };
    out
}
