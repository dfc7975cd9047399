//! The device under test.

use flowmask::cuda::Gpu;

/// The GPU or its emulator; `None`, said in one line, where there is neither.
pub fn gpu() -> Option<Gpu> {
    match Gpu::open(0) {
        Ok(gpu) => Some(gpu),
        Err(error) if cfg!(feature = "cpu-emu") => panic!("{error}"),
        Err(error) => {
            println!("left out: {error}; --features cpu-emu emulates one");
            None
        }
    }
}

/// Runs a test on the device; on the emulator, in every order of threads and with both kinds of asynchronous copies.
pub fn on_device(test: impl Fn(&Gpu)) {
    let Some(gpu) = gpu() else { return };
    #[cfg(feature = "cpu-emu")]
    for order in 0..4 {
        for eager in [false, true] {
            flowmask::cuda::emulator::schedule(order, eager, 7);
            test(&gpu);
        }
    }
    #[cfg(not(feature = "cpu-emu"))]
    test(&gpu);
}
