//! `flow_error`: the flows of a volume's masks, one plane through each voxel at a time.

use flowmask::cpu::flow_error::masks_to_flows as of_image;
use flowmask::cpu::volume::flow_error::{flow_errors, masks_to_flows};
use proptest::prelude::*;

use super::{Labels, all, index, labels};
use crate::check::{config, noise, same};

/// The flow along two axes at a place: that of the image in the plane of these axes.
fn in_plane(volume: &Labels, place: [usize; 3], [rows, columns]: [usize; 2]) -> [f32; 2] {
    let Labels { size, data } = volume;
    let plane: Vec<u32> = all(*size)
        .filter(|other| (0..3).all(|axis| axis == rows || axis == columns || other[axis] == place[axis]))
        .map(|other| data[index(*size, other)])
        .collect();
    let (width, at) = (size[columns], place[rows] * size[columns] + place[columns]);
    let flows = of_image(&plane, width);
    [flows[at], flows[plane.len() + at]]
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn flows_and_errors(volume in labels(), seed in any::<u64>()) {
        let Labels { size, data } = volume.clone();
        let n = data.len();
        let mut want = vec![0.0f32; 3 * n];
        for place in all(size) {
            // XY, ZX and ZY, in the order in which they are added.
            for axes in [[1, 2], [0, 2], [0, 1]] {
                for (axis, flow) in axes.into_iter().zip(in_plane(&volume, place, axes)) {
                    want[axis * n + index(size, place)] += flow;
                }
            }
        }
        same(&masks_to_flows(&data, size), &want, size[2])?;
        let flows: Vec<f32> = noise(seed, 3 * n).iter().map(|v| v * 8.0).collect();
        let errors = flow_errors(&data, size, &flows);
        prop_assert_eq!(errors.len(), data.iter().copied().max().unwrap() as usize);
        for (label, error) in (1..).zip(errors) {
            let own: Vec<usize> = (0..n).filter(|&i| data[i] == label).collect();
            if own.is_empty() {
                prop_assert!(error.is_nan());
                continue;
            }
            let square = |i: usize| (f64::from(want[i]) - f64::from(flows[i]) / 5.0).powi(2);
            let sum: f64 = own.iter().map(|&i| square(i) + square(n + i) + square(2 * n + i)).sum();
            // Differences are rounded to single precision.
            prop_assert!((error - sum / own.len() as f64).abs() < 1e-5, "label {}", label);
        }
    }
}
