//! `stitch`: the IoU of every pair of masks in a matrix, as the original computes it.

use std::collections::HashSet;

use flowmask::cpu::stitch::{drop_small, stitch};
use flowmask::{Compat, Error};
use ndarray::{Array2, Array3, Axis};
use proptest::prelude::*;

use crate::check::config;

/// The original's matrix for two planes, without background: rows are the masks of `next`, columns those of `plane`.
fn ious(next: &Array2<u32>, plane: &Array2<u32>) -> Array2<f64> {
    let most = |labels: &Array2<u32>| labels.iter().max().copied().unwrap_or(0) as usize;
    let mut overlap = Array2::<f64>::zeros((most(next) + 1, most(plane) + 1));
    next.iter().zip(plane).for_each(|(&a, &b)| overlap[[a as usize, b as usize]] += 1.0);
    let (rows, columns) = (overlap.sum_axis(Axis(1)), overlap.sum_axis(Axis(0)));
    Array2::from_shape_fn((most(next), most(plane)), |(a, b)| {
        let both = overlap[[a + 1, b + 1]];
        let iou = both / (rows[a + 1] + columns[b + 1] - both);
        if iou.is_nan() { 0.0 } else { iou }
    })
}

/// `utils.stitch3D`, line by line; without `restarts`, labels always go on after the largest, and those that a plane leaves
/// out take no numbers.
fn naive(planes: &Array3<u32>, threshold: f64, restarts: bool) -> Vec<Array2<u32>> {
    let mut all: Vec<Array2<u32>> = planes.outer_iter().map(|plane| plane.to_owned()).collect();
    let most = |plane: &Array2<u32>| plane.iter().max().copied().unwrap_or(0);
    let (mut last, mut begun) = (most(&all[0]), false);
    for z in 1..all.len() {
        let mut iou = ious(&all[z], &all[z - 1]);
        if iou.is_empty() && !begun && restarts {
            last = most(&all[z]);
            continue;
        }
        begun |= !iou.is_empty();
        iou.mapv_inplace(|v| if v < threshold { 0.0 } else { v });
        for mut column in iou.columns_mut() {
            let best = column.iter().copied().fold(0.0, f64::max);
            column.mapv_inplace(|v| if v < best { 0.0 } else { v });
        }
        let mut new = vec![0];
        for (a, row) in iou.outer_iter().enumerate() {
            let best = row.iter().copied().fold(0.0, f64::max);
            new.push(match row.iter().position(|&v| v == best && best > 0.0) {
                Some(b) => b as u32 + 1,
                None => {
                    last += u32::from(restarts || all[z].iter().any(|&label| label == a as u32 + 1));
                    last
                }
            });
        }
        all[z].mapv_inplace(|label| new[label as usize]);
    }
    all
}

/// Planes of few pixels and labels, so that ties, gaps and empty planes are frequent.
fn volumes() -> impl Strategy<Value = Array3<u32>> {
    let plane = |size: (usize, usize)| {
        let pixels = prop::collection::vec(prop_oneof![3 => Just(0_u32), 5 => 1..6_u32], size.0 * size.1);
        prop_oneof![1 => Just(vec![0; size.0 * size.1]), 4 => pixels]
    };
    let volume = move |(depth, height, width): (usize, usize, usize)| {
        let planes = prop::collection::vec(plane((height, width)), depth);
        planes
            .prop_map(move |planes| Array3::from_shape_vec((depth, height, width), planes.concat()).unwrap())
    };
    (2..7_usize, 1..5_usize, 1..6_usize).prop_flat_map(volume)
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn small_volumes(volume in volumes(), threshold in prop_oneof![0.01..1.0, Just(0.25), Just(0.5), Just(1.0)]) {
        for (compat, restarts) in [(Compat::None, false), (Compat::V3_1_1, true)] {
            let mut got = volume.clone();
            let mut planes: Vec<_> = got.outer_iter_mut().collect();
            let cells = stitch(&mut planes, threshold, compat).unwrap();
            let want = naive(&volume, threshold, restarts);
            for (z, (got, want)) in got.outer_iter().zip(&want).enumerate() {
                prop_assert_eq!(got, want.view(), "plane {}, {:?}", z, compat);
            }
            let labels: HashSet<u32> = got.iter().copied().filter(|&label| label > 0).collect();
            prop_assert_eq!(cells as usize, labels.len());
        }
    }

    #[test]
    fn small_cells_of_a_volume(volume in volumes(), min_size in 0..12_usize) {
        let mut got = volume.clone();
        let cells = drop_small(&mut got.outer_iter_mut().collect::<Vec<_>>(), min_size);
        let mut numbers = vec![0];
        let area = |label: u32| volume.iter().filter(|&&other| other == label).count();
        for &label in volume.iter().filter(|&&label| label > 0 && area(label) >= min_size) {
            if !numbers.contains(&label) {
                numbers.push(label);
            }
        }
        prop_assert_eq!(cells as usize, numbers.len() - 1);
        let want = volume.mapv(|label| numbers.iter().position(|&n| n == label).unwrap_or(0) as u32);
        prop_assert_eq!(got, want);
    }
}

#[test]
fn labels_go_beyond_16_bits_and_end_at_32() {
    let plane = |first: u32| Array2::from_shape_fn((200, 200), |(y, x)| first + (y * 200 + x) as u32);
    // Nothing overlaps by half in the shifted planes, so that each has labels of its own.
    let mut volume: Vec<Array2<u32>> = vec![plane(1), Array2::zeros((200, 200)), plane(1), plane(1)];
    volume[3].row_mut(0).fill(0);
    let mut planes: Vec<_> = volume.iter_mut().map(|plane| plane.view_mut()).collect();
    assert_eq!(stitch(&mut planes, 0.5, Compat::None).unwrap(), 80_000);
    assert_eq!((volume[2][[0, 0]], volume[2][[199, 199]], volume[3][[199, 199]]), (40_001, 80_000, 80_000));
    let mut volume = [plane(u32::MAX - 40_000), plane(1)];
    volume[1].mapv_inplace(|label| label % 7 + 1);
    let before = volume.clone();
    let mut planes: Vec<_> = volume.iter_mut().map(|plane| plane.view_mut()).collect();
    let error = stitch(&mut planes, 0.5, Compat::None).unwrap_err().to_string();
    assert!(error.contains("more labels than 32 bits") && volume == before, "{error}");
}

#[test]
fn planes_may_lie_in_any_order_in_memory() {
    let label = |(z, y, x): (usize, usize, usize)| {
        if (y + z) % 3 > 0 && x % 4 > 0 { (x / 4 + y / 3 * 3 + 1) as u32 } else { 0 }
    };
    let volume = Array3::from_shape_fn((4, 9, 12), label);
    let mut got =
        volume.clone().permuted_axes([0, 2, 1]).as_standard_layout().into_owned().permuted_axes([0, 2, 1]);
    let mut planes: Vec<_> = got.outer_iter_mut().collect();
    assert!(planes[0].as_slice().is_none());
    stitch(&mut planes, 0.3, Compat::None).unwrap();
    drop_small(&mut planes, 20);
    let mut want = volume;
    let mut planes: Vec<_> = want.outer_iter_mut().collect();
    stitch(&mut planes, 0.3, Compat::None).unwrap();
    assert!(drop_small(&mut planes, 20) > 0);
    assert_eq!(got, want);
}

#[test]
fn what_cannot_be_stitched_is_refused() {
    let mut volume = [Array2::<u32>::ones((3, 4)), Array2::ones((3, 4)), Array2::ones((4, 3))];
    let mut planes: Vec<_> = volume.iter_mut().map(|plane| plane.view_mut()).collect();
    for threshold in [-0.1, 1.01, f64::NAN, f64::INFINITY] {
        let error = stitch(&mut planes[..2], threshold, Compat::None).unwrap_err();
        assert!(matches!(error, Error::Option { name: "stitch_threshold", .. }), "{error}");
    }
    for (count, says) in [(0, "has 0 planes"), (1, "has one plane"), (3, "3 by 4 and 4 by 3")] {
        let error = stitch(&mut planes[..count], 0.5, Compat::None).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
