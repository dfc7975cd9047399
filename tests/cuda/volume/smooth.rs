//! Smoothing of flows.

use flowmask::cpu::volume::smooth::smooth as expected;
use flowmask::cuda::Buffer;
use flowmask::cuda::volume::smooth::{Scratch, smooth};

use crate::channels::{assert_bits, noise};
use crate::device::on_device;

/// Each axis alone and all of them; reaches of one voxel and of several lengths of an axis. The last volume stays as it is.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn each_axis() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for size in [[4, 7, 33], [1, 1, 1], [2, 20, 3]] {
            let voxels = size.iter().product::<usize>();
            let values: Vec<f32> = noise(3 * voxels, 6).iter().map(|v| (v - 0.5) * 30.0).collect();
            for sigma in [[1.0, 0.0, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 2.5], [3.0, 0.2, 1.0], [0.0; 3]] {
                let (mut want, mut got) = (values.clone(), Buffer::of(gpu, &values).unwrap());
                expected(&mut want[..2 * voxels], size, sigma);
                smooth(gpu, &mut got, 2, size, sigma, &mut scratch).unwrap();
                assert_bits(&format!("{size:?} by {sigma:?}"), &got.download(gpu).unwrap(), &want);
            }
        }
    });
}
