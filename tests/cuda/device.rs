//! The device under test: the emulator, or a GPU where `FLOWMASK_REQUIRE_GPU` is set or the emulator cannot run.
#![allow(dead_code, reason = "each test program uses its part")]

use flowmask::cuda::Gpu;

/// Whether the emulator stands in for a GPU.
pub fn emulated() -> bool {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return flowmask_emulator::load();
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    return false;
}

/// A GPU by its number.
///
/// # Panics
/// When a GPU is required, and not even the first one opens.
pub fn open(ordinal: usize) -> flowmask::Result<Gpu> {
    let (emulated, opened) = (emulated(), Gpu::open(ordinal));
    match &opened {
        Err(error) if ordinal == 0 && !emulated => {
            panic!("without the emulator the tests take a GPU, and none opens: {error}")
        }
        _ => opened,
    }
}

/// The first GPU. That there is none is a failure: a test of a kernel is ignored where the emulator does not run, and is
/// run there with `--include-ignored`.
pub fn gpu() -> Gpu {
    open(0).unwrap_or_else(|error| panic!("{error}"))
}

/// Chooses the order of threads and whether asynchronous copies arrive at once; a GPU has its own.
pub fn schedule(order: i32, eager: bool) {
    if emulated() {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        flowmask_emulator::schedule(order, eager, 7);
    }
}

/// Runs a test on the device; on the emulator, in every order of threads and with both kinds of asynchronous copies, or
/// with those that `FLOWMASK_TEST_SCHEDULES` names: `0l,3e` is order 0 with late copies and 3 with copies at once.
pub fn on_device(test: impl Fn(&Gpu)) {
    let gpu = gpu();
    if !emulated() {
        return test(&gpu);
    }
    let named = std::env::var("FLOWMASK_TEST_SCHEDULES");
    for one in named.as_deref().unwrap_or("0l,0e,1l,1e,2l,2e,3l,3e").split(',') {
        schedule(one[..1].parse().expect("an order from 0 to 3"), &one[1..] == "e");
        test(&gpu);
    }
}
