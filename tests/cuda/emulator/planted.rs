//! Faults that only a sanitizer sees. The script that runs the tests under sanitizers runs these too, one by one, and
//! wants a report of each.

use flowmask_emulator::schedule;

use super::{config, context, run};

/// A kernel with a fault, by name, so many blocks and threads, and its number.
fn fault(kernel: &str, blocks: u32, threads: u32, n: i32) {
    fault_in(128, kernel, blocks, threads, n);
}

/// The same with so many bytes of shared memory.
fn fault_in(shared: u32, kernel: &str, blocks: u32, threads: u32, n: i32) {
    schedule(0, false, 7);
    let stream = context(0).new_stream().unwrap();
    let mut out = stream.alloc_zeros::<u32>(64).unwrap();
    run!(&stream, kernel, config(blocks, threads, shared); &mut out, &n).unwrap();
    stream.synchronize().unwrap();
}

#[test]
#[ignore = "a fault for AddressSanitizer"]
fn address_overrun() {
    fault("overrun", 1, 1, 64);
}

#[test]
#[ignore = "a fault for AddressSanitizer"]
fn address_shared_overrun() {
    fault("shared_overrun", 1, 1, 128);
}

#[test]
#[ignore = "a fault for UndefinedBehaviorSanitizer"]
fn undefined_overflow() {
    fault("overflow", 1, 1, 1);
}

#[test]
#[ignore = "a fault for ThreadSanitizer"]
fn thread_block_race() {
    fault("block_race", 1, 32, 4);
}

#[test]
#[ignore = "a fault for ThreadSanitizer"]
fn thread_grid_race() {
    fault("grid_race", 2, 32, 32);
}

#[test]
fn fences_are_no_race() {
    fault("flag", 2, 1, 1);
}

#[test]
#[ignore = "a fault for ThreadSanitizer"]
fn thread_missing_fence() {
    fault("flag", 2, 1, 0);
}

#[test]
#[ignore = "a fault for ThreadSanitizer"]
fn thread_shared_race() {
    fault("shared_race", 1, 32, 1);
}

#[test]
#[ignore = "a fault for ThreadSanitizer"]
fn thread_matrix_race() {
    fault_in(2048, "matrix_race", 1, 128, 1);
}
