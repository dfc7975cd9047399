//! `components` and `parts`: the operations on finished masks, one label at a time.

use std::collections::BTreeSet;

use flowmask::Compat;
use flowmask::cpu::components::renumber;
use flowmask::cpu::volume::components::{bounds, drop_edges, fill_holes_and_drop_small};
use flowmask::cpu::volume::parts::keep_largest_parts;
use proptest::prelude::*;

use super::{Labels, all, faces, index, labels};
use crate::check::{config, same};

/// The numbers that occur, without 0.
fn numbers(labels: &[u32]) -> BTreeSet<u32> {
    labels.iter().copied().filter(|label| *label != 0).collect()
}

fn count(labels: &[u32], label: u32) -> usize {
    labels.iter().filter(|other| **other == label).count()
}

fn drop_label(labels: &mut [u32], label: u32) {
    labels.iter_mut().filter(|other| **other == label).for_each(|other| *other = 0);
}

/// The first and last plane, row and column of a label.
fn limits(labels: &[u32], size: [usize; 3], label: u32) -> [(usize, usize); 3] {
    [0, 1, 2].map(|axis| {
        let own = || all(size).filter(|&place| labels[index(size, place)] == label).map(|place| place[axis]);
        (own().min().unwrap(), own().max().unwrap())
    })
}

/// The voxels that a path of faces leads to from `start` over voxels that are `open`.
fn reached(size: [usize; 3], start: [usize; 3], open: impl Fn([usize; 3]) -> bool) -> BTreeSet<[usize; 3]> {
    let mut reached = BTreeSet::from([start]);
    let mut next = vec![start];
    while let Some(place) = next.pop() {
        for near in faces(size, place).filter(|&near| open(near)) {
            if reached.insert(near) {
                next.push(near);
            }
        }
    }
    reached
}

/// Gives `number` to a label and to all that cannot leave its box through faces of other voxels.
fn fill(labels: &mut [u32], size: [usize; 3], label: u32, number: u32) {
    let limits = limits(labels, size, label);
    // A box that is one voxel larger on all sides.
    let around = limits.map(|(first, last)| last - first + 3);
    let place = |inner: [usize; 3]| -> Option<usize> {
        let inside = (0..3).all(|a| inner[a] > 0 && inner[a] + 1 < around[a]);
        inside.then(|| index(size, [0, 1, 2].map(|a| limits[a].0 + inner[a] - 1)))
    };
    let outside = reached(around, [0; 3], |inner| place(inner).is_none_or(|i| labels[i] != label));
    for inner in all(around).filter(|inner| !outside.contains(inner)) {
        labels[place(inner).unwrap()] = number;
    }
}

/// The original's fault in `Compat::V3_1_1`: a label is small when the label of this rank is.
fn drop_small(labels: &mut [u32], min_size: usize, compat: Compat) {
    let mut present: Vec<u32> = labels.to_vec();
    present.sort();
    present.dedup();
    let small: Vec<u32> = match compat {
        Compat::None => present.into_iter().filter(|&l| l != 0 && count(labels, l) < min_size).collect(),
        _ => (1..present.len()).filter(|&k| count(labels, present[k]) < min_size).map(|k| k as u32).collect(),
    };
    small.into_iter().for_each(|label| drop_label(labels, label));
    if min_size > 0 || compat == Compat::None {
        renumber(labels);
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn holes_and_small_masks(image in labels(), min_size in prop_oneof![Just(0usize), 1..20usize]) {
        for compat in [Compat::None, Compat::V3_1_1] {
            let mut want = image.data.clone();
            if compat == Compat::None {
                renumber(&mut want);
            }
            drop_small(&mut want, min_size, compat);
            for (number, label) in (1..).zip(numbers(&want)) {
                // A label can be gone because the hole that it was in was filled.
                if want.contains(&label) {
                    fill(&mut want, image.size, label, number);
                }
            }
            drop_small(&mut want, min_size, compat);
            let mut got = image.data.clone();
            fill_holes_and_drop_small(&mut got, image.size, min_size, compat);
            same(&got, &want, image.size[2]).map_err(|e| TestCaseError::fail(format!("{compat:?}: {e}")))?;
        }
    }

    #[test]
    fn boxes_and_edges(image in labels()) {
        let Labels { size, data } = image;
        let boxes = bounds(&data, size);
        prop_assert_eq!(boxes.iter().flatten().count(), numbers(&data).len());
        let mut want = data.clone();
        for label in numbers(&data) {
            let limits = limits(&data, size, label);
            prop_assert_eq!(boxes[label as usize - 1].clone(), Some(limits.map(|(first, last)| first..last + 1)));
            if (0..3).any(|a| limits[a].0 == 0 || limits[a].1 + 1 == size[a]) {
                drop_label(&mut want, label);
            }
        }
        renumber(&mut want);
        let mut got = data;
        drop_edges(&mut got, size);
        same(&got, &want, size[2])?;
    }

    #[test]
    fn largest_parts(image in labels()) {
        let Labels { size, data } = image;
        let mut want = data.clone();
        for label in numbers(&data) {
            let own = || all(size).filter(|&place| data[index(size, place)] == label);
            // From the first voxel on, so that a later part must be larger to win.
            let mut largest = BTreeSet::new();
            for start in own() {
                let part = reached(size, start, |near| data[index(size, near)] == label);
                if part.len() > largest.len() {
                    largest = part;
                }
            }
            own().filter(|place| !largest.contains(place)).for_each(|place| want[index(size, place)] = 0);
        }
        let mut got = data;
        keep_largest_parts(&mut got, size);
        same(&got, &want, size[2])?;
    }
}
