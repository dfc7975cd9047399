//! The stand-in for the driver that runs kernels on the processor.

use std::sync::OnceLock;

use libloading::Library;

static LIBRARY: OnceLock<Library> = OnceLock::new();

/// Loads the emulator, so that who looks for the driver finds it: what was built with this crate, or another that
/// `FLOWMASK_EMULATOR_LIBRARY` names.
pub(super) fn load() -> &'static Library {
    LIBRARY.get_or_init(|| {
        let built = env!("FLOWMASK_EMULATOR").into();
        let path = std::env::var_os("FLOWMASK_EMULATOR_LIBRARY").unwrap_or(built);
        // SAFETY: our own library; its constructors do nothing.
        unsafe { Library::new(path) }.expect("the emulator that was built")
    })
}

/// Chooses the order in which the threads of a kernel run (0 in step, 1 each warp as far as it can, 2 the same
/// backwards, 3 random by `seed`) and whether asynchronous copies arrive at once or only when waited for.
pub fn schedule(order: i32, eager: bool, seed: u64) {
    // SAFETY: the function has this type.
    unsafe {
        let options: libloading::Symbol<unsafe extern "C" fn(i32, i32, u64)> =
            load().get(b"emu_options\0").expect("emu_options");
        options(order, eager.into(), seed);
    }
}

/// What this thread's launches did since the last call: products of matrices (`mma`), matrices read (`ldmatrix`),
/// bank conflicts of these, barriers, shuffles, asynchronous copies, switches of threads.
pub fn statistics() -> [u64; 7] {
    let mut out = [0; 7];
    // SAFETY: the function has this type.
    unsafe {
        let statistics: libloading::Symbol<unsafe extern "C" fn(*mut u64)> =
            load().get(b"emu_stats\0").expect("emu_stats");
        statistics(out.as_mut_ptr());
    }
    out
}

/// The memory of a device: allocations that were not freed, their bytes, the most bytes at any time; and the
/// allocations of pinned memory.
pub fn memory(ordinal: usize) -> [u64; 4] {
    let mut out = [0; 4];
    // SAFETY: the function has this type.
    unsafe {
        let memory: libloading::Symbol<unsafe extern "C" fn(i32, *mut u64)> =
            load().get(b"emu_memory\0").expect("emu_memory");
        memory(ordinal as i32, out.as_mut_ptr());
    }
    out
}
