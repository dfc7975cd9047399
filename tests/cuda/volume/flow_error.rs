//! The flow check of volumes against the twin on the processor.

use flowmask::cpu::volume::flow_error;
use flowmask::cuda::volume::flow_error::{Scratch, drop_bad_flows, flow_errors, masks_to_flows};
use flowmask::cuda::{Buffer, Gpu};

use super::{Size, balls, first_difference, golden_flows, volume, voxels};
use crate::components::Noise;
use crate::device::{gpu, on_device};
use crate::follow::common::{self, Golden};

/// Flows in all directions, `[4, depth, height, width]`.
pub fn maps(voxels: usize) -> Vec<f32> {
    let mut noise = Noise(voxels as u64 + 5);
    (0..4 * voxels).map(|_| noise.below(2001) as f32 / 200.0 - 5.0).collect()
}

/// The masks' flows, their errors, and what is left at a threshold that some masks exceed, with and without stretching.
pub fn check(gpu: &Gpu, what: &str, labels: &[u32], size: Size, maps: &[f32], scratch: &mut Scratch) {
    let n = voxels(size);
    // More labels than there are.
    let most = labels.iter().copied().max().unwrap_or(0) + 5;
    let (on_gpu, network) = (Buffer::of(gpu, labels).unwrap(), Buffer::of(gpu, maps).unwrap());
    masks_to_flows(gpu, &on_gpu, size, most, scratch).unwrap();
    let (got, want) = (scratch.flows.download(gpu).unwrap(), flow_error::masks_to_flows(labels, size));
    assert_eq!(got.len(), want.len(), "{what}");
    let wrong = got.iter().zip(&want).position(|(got, want)| got != want);
    assert_eq!(wrong, None, "{what}: the first wrong flow of {size:?}");
    flow_errors(gpu, &on_gpu, size, most, &network, scratch).unwrap();
    let (got, mut want) =
        (scratch.errors.download(gpu).unwrap(), flow_error::flow_errors(labels, size, &maps[..3 * n]));
    want.resize(most as usize, f64::NAN);
    for (label, (got, want)) in (1..).zip(got.iter().zip(&want)) {
        let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
        assert!(same, "{what}: label {label} has the error {got}, not {want}");
    }
    let mut sorted: Vec<f64> = want.into_iter().filter(|error| !error.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let threshold = sorted.get(sorted.len() / 2).copied().unwrap_or(0.4);
    for anisotropy in [1.0, 2.0, 0.3] {
        left(gpu, what, labels, size, most, (maps, anisotropy, threshold), scratch);
    }
}

/// What both leave of the labels.
fn left(
    gpu: &Gpu,
    what: &str,
    labels: &[u32],
    size: Size,
    most: u32,
    (maps, anisotropy, threshold): (&[f32], f64, f64),
    scratch: &mut Scratch,
) -> usize {
    let mut want = labels.to_vec();
    flow_error::drop_bad_flows(&mut want, size, &maps[..3 * voxels(size)], anisotropy, threshold);
    let (mut got, network) = (Buffer::of(gpu, labels).unwrap(), Buffer::of(gpu, maps).unwrap());
    drop_bad_flows(gpu, &mut got, size, most, (&network, anisotropy, threshold), scratch).unwrap();
    let what = format!("{what} {size:?}, anisotropy {anisotropy}");
    first_difference(&what, &got.download(gpu).unwrap(), &want, size);
    let count = common::cells(&want);
    assert_eq!(scratch.renumber.count.download(gpu).unwrap(), [count as u32], "{what}");
    count
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_of_random_masks() {
    let size = [7, 9, 11];
    let (labels, maps) = (balls(size, 9, 4, 3), maps(voxels(size)));
    on_device(|gpu| check(gpu, "balls", &labels, size, &maps, &mut Scratch::default()));
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_in_odd_volumes() {
    let gpu = gpu();
    let mut scratch = Scratch::default();
    for (order, (what, labels, size)) in (0..).zip([
        ("one plane", balls([1, 9, 13], 5, 3, 3), [1, 9, 13]),
        ("one row", balls([13, 1, 3], 5, 3, 3), [13, 1, 3]),
        ("one column", balls([5, 6, 1], 3, 2, 3), [5, 6, 1]),
        ("one voxel", vec![1], [1, 1, 1]),
        ("no label", vec![0; 30], [2, 3, 5]),
        ("a gap", vec![0, 3, 3, 1, 1, 0], [1, 2, 3]),
        ("each its own", (1..=60).collect(), [3, 4, 5]),
    ]) {
        crate::device::schedule(order % 4, order % 2 == 0);
        check(&gpu, what, &labels, size, &maps(labels.len()), &mut scratch);
    }
    // The twin takes at least one voxel.
    let (mut labels, maps) = (Buffer::of(&gpu, &[]).unwrap(), Buffer::of(&gpu, &[]).unwrap());
    drop_bad_flows(&gpu, &mut labels, [0, 4, 3], 5, (&maps, 2.0, 0.4), &mut scratch).unwrap();
    assert_eq!(scratch.renumber.count.download(&gpu).unwrap(), [0]);
}

/// Planes beyond those that are computed together, and masks that are cut into tiles in one orientation alone.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_of_large_masks() {
    let gpu = gpu();
    let mut scratch = Scratch::default();
    for (order, size) in [(0, [70, 3, 5]), (3, [3, 66, 4]), (1, [2, 130, 4]), (2, [4, 2, 129])] {
        crate::device::schedule(order, order % 2 == 0);
        let labels =
            volume(size, |[z, y, x]| [1, 1, 2, 0][(z / 9 + y / 40 + x / 40) % 4] * u32::from(z + y + x > 2));
        check(&gpu, "long", &labels, size, &maps(voxels(size)), &mut scratch);
    }
    for size in [[2, 80, 74], [75, 2, 79], [78, 81, 2]] {
        check(&gpu, "tiles", &vec![1; voxels(size)], size, &maps(voxels(size)), &mut scratch);
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_of_the_original() {
    let gpu = gpu();
    let (flows, inside, size) = golden_flows();
    let maps = [flows, inside].concat();
    let labels = Golden::open("volume_stages").u32("masks_raw");
    let mut scratch = Scratch::default();
    for anisotropy in [1.0, 2.0] {
        let found = left(&gpu, "stored maps", &labels, size, 59, (&maps, anisotropy, 1.0), &mut scratch);
        assert_eq!(found, 39);
    }
}
