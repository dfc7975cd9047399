//! What a kernel does wrong is an error, with the line.

use flowmask_emulator::schedule;

use super::{alone, config, context, run};

const SOURCE: &str = include_str!("../../../kernels/emulator/selftest.cu");

/// Kernel, threads, bytes of shared memory, what the error says.
const FAULTS: &[(&str, u32, u32, &str)] = &[
    ("divergent_barrier", 8, 0, "divergent __syncthreads"),
    ("deadlock", 40, 0, "deadlock in block (0,0,0): 1 of 40 threads have returned"),
    ("warp_deadlock", 40, 0, "deadlock"),
    ("lane_outside_mask", 32, 0, "lane 16 calls an operation of its warp whose mask 0000ffff leaves it out"),
    ("reads_outside_mask", 32, 0, "shuffle reads lane 16, which is not in mask 0000ffff"),
    ("misaligned_copy", 32, 1024, "is not at a multiple of 16 bytes"),
    ("misaligned_source", 32, 1024, "is not at a multiple of 16 bytes"),
    ("copy_beyond_shared", 32, 512, "is outside shared memory: byte 512 of 512"),
    ("row_beyond_shared", 32, 512, "is outside shared memory: byte 512 of 512"),
    ("matrix_of_half_a_warp", 16, 0, "matrices need a whole warp"),
    ("no_fence_of_registers", 128, 2048, "without wgmma.fence after its registers were written"),
    ("rows_after_the_fence", 128, 2048, "without wgmma.fence after its registers were written"),
    ("sums_after_the_fence", 128, 2048, "without wgmma.fence after its registers were written"),
    ("no_fence_of_copies", 128, 2048, "byte 1232 of shared memory, written without fence.proxy.async"),
    ("fence_before_copies", 128, 2048, "byte 0 of shared memory, written without fence.proxy.async"),
    ("no_fence_of_writes", 128, 2048, "byte 0 of shared memory, written without fence.proxy.async"),
    ("products_of_three_warps", 96, 2048, "wgmma needs four whole warps"),
    ("products_of_a_warp_alone", 128, 2048, "warp 0 did not start each wgmma of its warp group"),
    ("matrix_of_each_warp", 128, 4096, "the warps of a warp group start wgmma with different matrices"),
    ("matrix_beyond_shared", 128, 2048, "matrix of wgmma is outside shared memory"),
    ("swizzled_matrix", 128, 2048, "swizzled is not supported"),
    ("products_without_end", 128, 2048, "the kernel ends while a wgmma runs"),
];

#[test]
fn faults_are_errors_with_the_line() {
    let devices = FAULTS.len().to_string();
    alone("faults::faults_are_errors_with_the_line", &[("FLOWMASK_EMULATOR_DEVICES", &devices)], || {
        for (i, (kernel, threads, shared, expected)) in FAULTS.iter().enumerate() {
            let mark = format!("// fault {kernel}");
            let line = SOURCE.lines().position(|line| line.ends_with(&mark)).unwrap() + 1;
            let stream = context(i).new_stream().unwrap();
            let mut out = stream.alloc_zeros::<u32>(64).unwrap();
            run!(&stream, kernel, config(1, *threads, *shared); &mut out).unwrap();
            let error = stream.synchronize().expect_err(kernel).to_string();
            assert!(error.contains(expected), "{kernel}: {error}");
            assert!(error.contains(&format!("selftest.cu:{line}")), "{kernel}: not line {line}: {error}");
            assert!(error.contains(&format!("kernel {kernel}: ")), "{kernel}: {error}");
            // It stays, as an error of a GPU does.
            assert!(stream.synchronize().is_err() && stream.alloc_zeros::<u32>(1).is_err(), "{kernel}");
        }
    });
}

#[test]
fn what_cannot_start_is_refused() {
    let context = context(0);
    let stream = context.new_stream().unwrap();
    let mut out = stream.alloc_zeros::<u32>(64).unwrap();
    let launches = [config(0, 1, 0), config(1, 0, 0), config(1, 1025, 0), config(1, 1, (48 << 10) + 1)];
    for config in launches {
        assert!(run!(&stream, "deadlock", config; &mut out).is_err(), "{config:?}");
    }
    assert!(
        context.load_module(cudarc::nvrtc::Ptx::from_src("emulated")).unwrap().load_function("no").is_err()
    );
    assert!(stream.synchronize().is_ok());
}

/// What the kernel gives in each order of threads and with each kind of asynchronous copies.
fn with_each_schedule(kernel: &str, care: i32) -> Vec<(i32, bool, bool)> {
    let stream = context(0).new_stream().unwrap();
    let input: Vec<u32> = (0..512).collect();
    let source = stream.clone_htod(&input).unwrap();
    let mut found = Vec::new();
    for order in 0..4 {
        for eager in [false, true] {
            schedule(order, eager, 7);
            let mut out = stream.alloc_zeros::<u32>(64).unwrap();
            run!(&stream, kernel, config(1, 64, 1024); &mut out, &source, &care).unwrap();
            let values = stream.clone_dtoh(&out).unwrap();
            let step = if kernel == "missing_wait" { 1 } else { 4 };
            let right = (0..64).all(|i| values[i] as usize == (i * step + step) % 256);
            found.push((order, eager, right));
        }
    }
    found
}

#[test]
fn a_missing_wait_shows_when_copies_arrive_late() {
    assert!(with_each_schedule("missing_wait", 1).iter().all(|&(.., right)| right));
    for (order, eager, right) in with_each_schedule("missing_wait", 0) {
        assert_eq!(right, eager, "order {order}, eager {eager}");
    }
}

/// What comes before the wait, as in the kernel, and whether that shows with late and with early products.
#[test]
fn a_missing_wait_for_products_shows() {
    let stream = context(0).new_stream().unwrap();
    let ones = stream.clone_htod(&[0x3c00_3c00u32; 512]).unwrap();
    for (what, late, early) in [(0, false, false), (1, true, false), (2, true, false), (3, true, true)] {
        for (order, eager) in (0..8).map(|i| (i / 2, i % 2 == 1)) {
            schedule(order, eager, 7);
            let mut sums = stream.alloc_zeros::<f32>(4096).unwrap();
            let mut matrix = stream.alloc_zeros::<u64>(1).unwrap();
            run!(&stream, "warp_group", config(1, 128, 2048); &ones, &ones, &mut sums, &mut matrix, &what)
                .unwrap();
            let wrong = stream.clone_dtoh(&sums).unwrap().iter().any(|&sum| sum != 16.0);
            assert_eq!(wrong, if eager { early } else { late }, "{what}, order {order}, eager {eager}");
        }
    }
}

#[test]
fn a_missing_barrier_shows_when_copies_arrive_at_once() {
    assert!(with_each_schedule("missing_barrier", 1).iter().all(|&(.., right)| right));
    let found = with_each_schedule("missing_barrier", 0);
    assert!(found.iter().any(|&(_, eager, right)| eager && !right), "{found:?}");
}
