//! The flow check against the twin on the processor.

use flowmask::cpu::flow_error;
use flowmask::cuda::flow_error::{Scratch, drop_bad_flows, masks_to_flows};
use flowmask::cuda::{Buffer, Gpu};

use crate::components::{Noise, blobs, first_difference};
use crate::device::on_device;
use crate::follow::common::Golden;

/// Flows in all directions, `[3, height, width]`.
pub fn maps(pixels: usize) -> Vec<f32> {
    let mut noise = Noise(pixels as u64 + 5);
    (0..3 * pixels).map(|_| noise.below(2001) as f32 / 200.0 - 5.0).collect()
}

/// Errors and what is left after them, at a threshold that some masks exceed.
pub fn check(
    gpu: &Gpu,
    what: &str,
    labels: &[u32],
    size: (usize, usize),
    maps: &[f32],
    scratch: &mut Scratch,
) {
    let mut want = labels.to_vec();
    let errors = flow_error::flow_errors(labels, size.1, maps);
    let mut sorted = errors.clone();
    sorted.sort_by(f64::total_cmp);
    let threshold = sorted.get(sorted.len() / 2).copied().unwrap_or(0.4);
    flow_error::drop_bad_flows(&mut want, size.1, maps, threshold);
    let (mut got, maps) = (Buffer::of(gpu, labels).unwrap(), Buffer::of(gpu, maps).unwrap());
    // More labels than there are.
    let most = errors.len() + 40;
    drop_bad_flows(gpu, &mut got, size, most as u32, (&maps, threshold), scratch).unwrap();
    let found = scratch.errors.download(gpu).unwrap();
    assert_eq!(found.len(), most, "{what}");
    for (label, (got, want)) in (1..).zip(found.iter().zip(errors.iter().chain(&[f64::NAN; 40]))) {
        let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
        assert!(same, "{what}: label {label} has the error {got}, not {want}");
    }
    first_difference(what, &got.download(gpu).unwrap(), &want, size);
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_of_random_masks() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        for (size, count, radius) in [((41, 53), 25, 6), ((60, 31), 9, 20), ((1, 97), 8, 9), ((97, 1), 8, 9)]
        {
            let labels = blobs(size, count, radius, 3);
            check(gpu, &format!("{size:?}"), &labels, size, &maps(labels.len()), &mut scratch);
        }
        for (what, labels, size) in [
            ("one pixel", vec![1], (1, 1)),
            ("no label", vec![0; 35], (5, 7)),
            ("a gap", vec![0, 3, 3, 1, 1, 0], (2, 3)),
            ("no pixel", vec![], (0, 4)),
            ("each its own", (1..=600).collect(), (20, 30)),
        ] {
            check(gpu, what, &labels, size, &maps(labels.len()), &mut scratch);
        }
    });
}

/// Small masks, and one that is cut into tiles.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn flows_of_masks() {
    on_device(|gpu| {
        let mut out = Buffer::new();
        for (labels, size) in [(blobs((41, 53), 25, 6, 3), (41, 53)), (vec![1; 75 * 78], (75, 78))] {
            let on_gpu = Buffer::of(gpu, &labels).unwrap();
            let most = 1 + labels.iter().max().unwrap();
            masks_to_flows(gpu, &on_gpu, size, most, &mut out, &mut Scratch::default()).unwrap();
            let (got, want) = (out.download(gpu).unwrap(), flow_error::masks_to_flows(&labels, size.1));
            assert_eq!(got.iter().zip(&want).position(|(got, want)| got != want), None, "{size:?}");
            assert_eq!(got.len(), want.len());
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn no_number_as_flow() {
    on_device(|gpu| {
        let labels = blobs((20, 20), 6, 4, 9);
        let mut maps = maps(400);
        for (i, bad) in [(0, f32::NAN), (1, f32::INFINITY), (2, -0.0), (3, 1e-40), (4, f32::MAX)] {
            maps.iter_mut().skip(61 + i).step_by(97).for_each(|flow| *flow = bad);
        }
        check(gpu, "bad flows", &labels, (20, 20), &maps, &mut Scratch::default());
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_of_large_masks() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        // Two that are cut into four tiles each and lie over each other, with others around and between them.
        let size = (61, 91);
        let mut labels = blobs(size, 12, 9, 1);
        for (i, label) in labels.iter_mut().enumerate() {
            let (y, x) = (i / size.1, i % size.1);
            if (x + y) % 29 == 0 {
                *label = 20;
            } else if (20..24).contains(&y) || (40..43).contains(&x) {
                *label = 21;
            }
        }
        check(gpu, "tiles", &labels, size, &maps(labels.len()), &mut scratch);
        check(gpu, "a square", &[1; 50 * 51], (50, 51), &maps(50 * 51), &mut scratch);
        // Wider than a block has threads, and mostly tiles without a pixel.
        let mut ends = vec![0; 514];
        (ends[0], ends[513]) = (1, 1);
        check(gpu, "two ends", &ends, (1, 514), &maps(514), &mut scratch);
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn errors_of_the_original() {
    on_device(|gpu| {
        let golden = Golden::open("dynamics_nuclei_0");
        let (labels, size) = (golden.u32("masks_raw"), golden.get("cellprob").size());
        check(gpu, "dynamics_nuclei_0", &labels, size, &golden.f32("dP"), &mut Scratch::default());
    });
}
