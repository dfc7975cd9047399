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

/// Runs a test on the device; on the emulator, in every order of threads and with both kinds of asynchronous copies, or
/// with those that `FLOWMASK_TEST_SCHEDULES` names: `0l,3e` is order 0 with late copies and 3 with copies at once.
pub fn on_device(test: impl Fn(&Gpu)) {
    let Some(gpu) = gpu() else { return };
    #[cfg(feature = "cpu-emu")]
    {
        let named = std::env::var("FLOWMASK_TEST_SCHEDULES");
        for schedule in named.as_deref().unwrap_or("0l,0e,1l,1e,2l,2e,3l,3e").split(',') {
            let order = schedule[..1].parse().expect("an order from 0 to 3");
            flowmask::cuda::emulator::schedule(order, &schedule[1..] == "e", 7);
            test(&gpu);
        }
    }
    #[cfg(not(feature = "cpu-emu"))]
    test(&gpu);
}
