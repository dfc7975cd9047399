use flowmask::cuda::{Buffer, Pinned};

use crate::device::gpu;

/// A second copy must wait for the first, which reads the same memory.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn copies_come_and_go_through_one_place() {
    let gpu = gpu();
    let mut pinned = Pinned::default();
    let mut buffers: Vec<Buffer<u16>> = (0..5).map(|_| Buffer::new()).collect();
    let values = |i: usize| (0..[7, 900, 0, 30, 4000][i]).map(|v| (v * (i + 3)) as u16).collect::<Vec<_>>();
    for (i, buffer) in buffers.iter_mut().enumerate() {
        pinned.upload(&gpu, &values(i), buffer).unwrap();
    }
    for (i, buffer) in buffers.iter().enumerate() {
        assert!(pinned.download(&gpu, buffer).unwrap() == values(i), "buffer {i}");
    }
}
