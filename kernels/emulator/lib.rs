//! Runs the CUDA kernels on the processor, so that they are tested where there is no GPU.
//!
//! Two shared libraries stand in for the CUDA driver (`libcuda.so`) and for NVRTC (`libnvrtc.so.13`). A process that
//! has loaded them ([`load`]), or whose `LD_LIBRARY_PATH` begins with their folder ([`folder`]), finds emulated GPUs.
//! So the program under test is the same program that users run; it has no code for the emulator.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::Library;

/// The folder of the two libraries.
pub fn folder() -> &'static Path {
    Path::new(env!("FLOWMASK_EMULATOR"))
}

/// Loads both libraries, so that this process uses them as driver and NVRTC. Returns whether they are loaded: if
/// `FLOWMASK_REQUIRE_GPU` is set, tests run on the GPU of the machine, and nothing is loaded.
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
        // The stand-ins for compiled kernels must not get into the user's cache.
        // SAFETY: the emulator, which reads variables outside Rust, is not loaded yet.
        unsafe { std::env::set_var("FLOWMASK_CACHE", folder().join("cache")) };
        // Here times mean nothing, and measuring them takes long.
        if std::env::var_os("FLOWMASK_TUNE").is_none() {
            // SAFETY: as above.
            unsafe { std::env::set_var("FLOWMASK_TUNE", "off") };
        }
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

/// Finds a function that the emulator has and NVIDIA's driver does not.
///
/// # Safety
/// `F` must be the type of the function.
unsafe fn function<F: Copy>(name: &str) -> F {
    let driver = driver().expect("the emulator, which FLOWMASK_REQUIRE_GPU leaves out");
    // SAFETY: the caller gives the right type.
    *unsafe { driver.get::<F>(name) }.unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Sets the order in which the threads of a kernel run (0 all warps in step, 1 each warp as far as it can, 2 the same
/// backwards, 3 random by `seed`), and whether asynchronous copies arrive at once or only at a wait for them.
pub fn schedule(order: i32, eager: bool, seed: u64) {
    // SAFETY: the function has this type.
    unsafe { function::<unsafe extern "C" fn(i32, i32, u64)>("emu_options")(order, eager.into(), seed) };
}

/// Counts the operations of this thread's launches since the last call: `mma`, `ldmatrix`, bank conflicts of
/// `ldmatrix`, barriers, shuffles, asynchronous copies, switches of threads, `wgmma` of a warp.
pub fn statistics() -> [u64; 8] {
    let mut out = [0; 8];
    // SAFETY: the function has this type, and writes eight numbers.
    unsafe { function::<unsafe extern "C" fn(*mut u64)>("emu_stats")(out.as_mut_ptr()) };
    out
}

/// The memory of a device: the number of allocations that are not freed, their bytes, the most bytes at any time; and
/// the number of allocations of pinned memory.
pub fn memory(ordinal: usize) -> [u64; 4] {
    let mut out = [0; 4];
    // SAFETY: the function has this type, and writes four numbers.
    unsafe {
        function::<unsafe extern "C" fn(i32, *mut u64)>("emu_memory")(ordinal as i32, out.as_mut_ptr())
    };
    out
}
