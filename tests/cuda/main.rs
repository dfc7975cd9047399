//! Each kernel against its twin on the processor, on the emulator. On a GPU, and only there:
//! `FLOWMASK_REQUIRE_GPU=1 cargo test --release --test cuda -- --include-ignored --skip emulator::`.

mod big;
mod blend;
mod channels;
mod cluster;
mod components;
mod conv;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod conv_sm_90a;
mod device;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod emulator;
mod fill;
mod flow_error;
mod follow;
mod golden;
mod handover;
mod measure;
mod names;
mod network;
mod normalize;
mod parts;
mod pinned;
mod pipeline;
mod random;
mod renumber;
#[path = "../common/required.rs"]
mod required;
mod resize;
mod scan;
mod scene;
mod style;
mod tiles;
mod volume;

use follow::common::root;

/// Runs a test on a card of compute capability 9.0, whose kernels the others do not have: where the emulator stands in for
/// the GPU, in a process of its own. `test` is its whole name.
fn on_hopper(test: &str, body: impl FnOnce()) {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if device::emulated() {
        emulator::in_process(test, &[("FLOWMASK_EMULATOR_CAPABILITY", "90")], body);
        return;
    }
    let _ = test;
    body();
}

/// The first test of a kernel stands for all: each opens the device in the same way.
#[test]
fn without_a_gpu_that_is_required_the_tests_fail() {
    let which = ["--exact", "fill::fill_sets_its_range_and_nothing_else", "--include-ignored"];
    let absent = [("FLOWMASK_REQUIRE_GPU", "1"), ("CUDA_VISIBLE_DEVICES", "")];
    required::check("FLOWMASK_REQUIRE_GPU", &which, &absent, "cuda:");
}
