//! Numbers in the order of first pixels against the twin on the processor.

use flowmask::cpu::components;
use flowmask::cuda::renumber::{Scratch, renumber};
use flowmask::cuda::{Buffer, Gpu};

use super::device::on_device;

fn check(gpu: &Gpu, what: &str, labels: &[u32], most: u32, scratch: &mut Scratch) {
    let mut want = labels.to_vec();
    let count = components::renumber(&mut want);
    let mut got = Buffer::of(gpu, labels).unwrap();
    renumber(gpu, &mut got, labels.len(), most, scratch).unwrap();
    let got = got.download(gpu).unwrap();
    let wrong = got.iter().zip(&want).position(|(got, want)| got != want);
    assert_eq!(wrong, None, "{what}: the first wrong label of {}", labels.len());
    assert_eq!(scratch.count.download(gpu).unwrap(), [count as u32], "{what}: labels of {}", labels.len());
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn labels_in_the_order_of_their_first_pixels() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for len in [9973u32, 1024, 257, 256, 33, 32, 31, 2, 1, 0] {
            let noise: Vec<u32> = (0..len).map(|i| (i.wrapping_mul(2_654_435_769) >> 11) % 50).collect();
            check(gpu, "noise", &noise, 49, &mut scratch);
            check(gpu, "runs", &(0..len).map(|i| i / 7 % 11 * 3).collect::<Vec<_>>(), 30, &mut scratch);
            check(gpu, "descending", &(0..len).rev().collect::<Vec<_>>(), len, &mut scratch);
            check(gpu, "each its own", &(1..=len).collect::<Vec<_>>(), len, &mut scratch);
            check(gpu, "background", &vec![0; len as usize], 0, &mut scratch);
            check(gpu, "the largest label", &vec![len + 1; len as usize], len + 1, &mut scratch);
        }
    });
}
