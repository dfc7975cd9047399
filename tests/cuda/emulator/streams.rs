//! Work is done in any order that streams and events allow, so that a missing one shows.

use std::sync::Arc;

use cudarc::driver::sys::{CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode};
use cudarc::driver::{CudaSlice, CudaStream, DriverError};
use flowmask_emulator::schedule;

use super::{config, context, run, word};

fn streams<const N: usize>() -> [Arc<CudaStream>; N] {
    let context = context(0);
    std::array::from_fn(|_| context.new_stream().unwrap())
}

fn append(stream: &Arc<CudaStream>, number: &mut CudaSlice<u32>, digit: u32) -> Result<(), DriverError> {
    run!(stream, "times_ten_plus", config(1, 1, 0); number, &digit)
}

#[test]
fn work_waits_for_a_synchronisation() {
    schedule(0, false, 7);
    let [stream] = streams();
    let mut number = word(&stream, 1);
    // SAFETY: zeroed before it is read.
    let mut host = unsafe { stream.context().alloc_pinned::<u32>(1) }.unwrap();
    host.as_mut_slice().unwrap()[0] = 0;
    // The slice would wait when asked for its content.
    let at = host.as_ptr().unwrap();
    append(&stream, &mut number, 2).unwrap();
    stream.memcpy_dtoh(&number, &mut host).unwrap();
    // SAFETY: the emulator runs in this thread.
    assert_eq!(unsafe { *at }, 0);
    stream.synchronize().unwrap();
    // SAFETY: the copy is done.
    assert_eq!(unsafe { *at }, 12);
}

#[test]
fn pinned_memory_is_read_when_the_copy_runs() {
    schedule(0, false, 7);
    let [stream] = streams();
    let mut number = word(&stream, 1);
    let bytes = std::mem::size_of::<u32>();
    // SAFETY: four bytes that stay until the copy is done.
    unsafe {
        use cudarc::driver::{DevicePtrMut, result, sys};
        let memory = result::malloc_host(bytes, 0).unwrap().cast::<u32>();
        *memory = 5;
        let pointer = number.device_ptr_mut(&stream).0;
        sys::cuMemcpyHtoDAsync_v2(pointer, memory.cast(), bytes, stream.cu_stream()).result().unwrap();
        *memory = 6;
        stream.synchronize().unwrap();
        result::free_host(memory.cast()).unwrap();
    }
    assert_eq!(stream.clone_dtoh(&number).unwrap(), [6]);
}

#[test]
fn pageable_memory_is_read_at_once() {
    schedule(0, false, 7);
    let [stream] = streams();
    let mut host = vec![5u32];
    let number = stream.clone_htod(&host).unwrap();
    host[0] = 6;
    assert_eq!(stream.clone_dtoh(&number).unwrap(), [5]);
}

/// Two digits appended from two streams, the second after the first if `waits`.
fn two_streams(waits: bool) -> u32 {
    let [a, b] = streams();
    let mut number = word(&a, 0);
    a.synchronize().unwrap();
    append(&a, &mut number, 1).unwrap();
    if waits {
        b.wait(&a.record_event(None).unwrap()).unwrap();
    }
    append(&b, &mut number, 2).unwrap();
    b.synchronize().unwrap();
    a.synchronize().unwrap();
    a.clone_dtoh(&number).unwrap()[0]
}

#[test]
fn a_missing_event_shows() {
    let found: Vec<_> = (0..4)
        .map(|order| {
            schedule(order, false, 7);
            assert_eq!(two_streams(true), 12, "order {order}");
            two_streams(false)
        })
        .collect();
    assert_eq!(found[..3], [21, 12, 12]);
}

#[test]
fn events_follow_work() {
    schedule(0, false, 7);
    let [stream] = streams();
    let mut number = word(&stream, 1);
    append(&stream, &mut number, 2).unwrap();
    let event = stream.record_event(None).unwrap();
    assert_eq!(event.try_is_complete(), Ok(false));
    event.synchronize().unwrap();
    assert_eq!(event.try_is_complete(), Ok(true));
}

const THREAD_LOCAL: CUstreamCaptureMode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;

#[test]
fn graphs_are_replayed() {
    for order in 0..4 {
        schedule(order, false, 7);
        let [a, b] = streams();
        let (mut left, mut right) = (word(&a, 0), word(&a, 0));
        a.synchronize().unwrap();
        a.begin_capture(THREAD_LOCAL).unwrap();
        append(&a, &mut left, 1).unwrap();
        b.join(&a).unwrap();
        run!(&b, "copy_word", config(1, 1, 0); &mut right, &left).unwrap();
        append(&b, &mut right, 2).unwrap();
        a.join(&b).unwrap();
        append(&a, &mut left, 3).unwrap();
        let graph = a.end_capture(CUgraphInstantiate_flags(0)).unwrap().unwrap();
        a.synchronize().unwrap();
        assert_eq!(a.clone_dtoh(&left).unwrap(), [0], "order {order}: a capture does nothing");
        graph.launch().unwrap();
        graph.launch().unwrap();
        assert_eq!(a.clone_dtoh(&left).unwrap(), [1313], "order {order}");
        assert_eq!(a.clone_dtoh(&right).unwrap(), [1312], "order {order}");
    }
}

#[test]
fn captures_refuse_what_graphs_cannot_hold() {
    let flags = CUgraphInstantiate_flags(0);
    let [a, b] = streams();
    a.begin_capture(THREAD_LOCAL).unwrap();
    assert_eq!(a.synchronize().unwrap_err().0, CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    let invalid = a.end_capture(flags).err().unwrap();
    assert_eq!(invalid.0, CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    let outside = b.record_event(None).unwrap();
    a.begin_capture(THREAD_LOCAL).unwrap();
    assert_eq!(a.wait(&outside).unwrap_err().0, CUresult::CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    assert!(a.end_capture(flags).is_err());

    a.begin_capture(THREAD_LOCAL).unwrap();
    b.join(&a).unwrap();
    assert_eq!(a.end_capture(flags).err().unwrap().0, CUresult::CUDA_ERROR_STREAM_CAPTURE_UNJOINED);

    a.begin_capture(THREAD_LOCAL).unwrap();
    // SAFETY: it is refused.
    assert!(unsafe { a.alloc::<u32>(1) }.is_err());
    assert!(a.end_capture(flags).is_err());
    assert!(a.synchronize().is_ok());
}
