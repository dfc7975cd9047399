//! The stages of volumes. Volumes are small enough to be compared voxel by voxel with a definition.

use proptest::prelude::*;

use crate::check::side;

#[path = "volume/cluster.rs"]
mod cluster;
#[path = "volume/components.rs"]
mod components;
#[path = "volume/flow_error.rs"]
mod flow_error;
#[path = "volume/follow.rs"]
mod follow;
#[path = "volume/resize.rs"]
mod resize;
#[path = "volume/smooth.rs"]
mod smooth;

/// (depth, height, width), each at most `max`.
fn size(max: usize) -> impl Strategy<Value = [usize; 3]> {
    (side(max), side(max), side(max)).prop_map(|(depth, height, width)| [depth, height, width])
}

/// All voxels, in C order.
fn all([depth, height, width]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..depth * height * width).map(move |i| [i / width / height, i / width % height, i % width])
}

fn index([_, height, width]: [usize; 3], [z, y, x]: [usize; 3]) -> usize {
    (z * height + y) * width + x
}

/// The voxels of the volume that share a face with this one.
fn faces(size: [usize; 3], place: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..6).filter_map(move |i| {
        let mut near = place;
        near[i / 2] = if i % 2 == 0 { near[i / 2].checked_sub(1)? } else { near[i / 2] + 1 };
        (near[i / 2] < size[i / 2]).then_some(near)
    })
}

/// A label volume, `[depth, height, width]`.
#[derive(Clone, Debug)]
struct Labels {
    size: [usize; 3],
    data: Vec<u32>,
}

/// Small label volumes: boxes painted over each other, which touch, enclose and cut each other, with some random voxels.
fn labels() -> impl Strategy<Value = Labels> {
    const NUMBERS: [u32; 9] = [0, 0, 1, 2, 3, 5, 65535, 65536, 70001];
    let number = || proptest::sample::select(&NUMBERS[..]);
    size(7).prop_flat_map(move |size| {
        let place = || (0..size[0], 0..size[1], 0..size[2]);
        let sides = (1..=size[0], 1..=size[1], 1..=size[2]);
        let boxes = proptest::collection::vec((place(), sides, number()), 0..9);
        let voxels = proptest::collection::vec((place(), number()), 0..30);
        (boxes, voxels).prop_map(move |(boxes, voxels)| {
            let mut data = vec![0; size.iter().product()];
            for (first, sides, label) in boxes {
                let (first, sides) = (<[usize; 3]>::from(first), <[usize; 3]>::from(sides));
                let inside =
                    |place: &[usize; 3]| (0..3).all(|a| (first[a]..first[a] + sides[a]).contains(&place[a]));
                all(size).filter(inside).for_each(|place| data[index(size, place)] = label);
            }
            voxels.into_iter().for_each(|(place, label)| data[index(size, place.into())] = label);
            Labels { size, data }
        })
    })
}
