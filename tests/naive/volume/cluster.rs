//! `cluster`: the peaks of the histogram, on a map of the places that any walk ended in, so that it has no border.

use std::collections::{BTreeMap, BTreeSet};

use flowmask::cpu::volume::cluster::cluster;
use flowmask::cpu::volume::follow::Points;
use proptest::prelude::*;

use super::size;
use crate::check::{config, noise, same};

type Place = [i64; 3];

/// All places up to `reach` away along each axis.
fn cube([z, y, x]: Place, reach: i64) -> impl Iterator<Item = Place> {
    let along = -reach..=reach;
    let rows = along.clone().flat_map({
        let along = along.clone();
        move |dz| along.clone().map(move |dy| (dz, dy))
    });
    rows.flat_map(move |(dz, dy)| along.clone().map(move |dx| [z + dz, y + dy, x + dx]))
}

fn reference(points: &Points, size: [usize; 3], max_size_fraction: f64) -> Vec<u32> {
    let bins: Vec<Place> = points.ends.iter().map(|end| end.map(|v| v as i64)).collect();
    let mut counts: BTreeMap<Place, usize> = BTreeMap::new();
    bins.iter().for_each(|&bin| *counts.entry(bin).or_default() += 1);
    let count = |place: &Place| counts.get(place).copied().unwrap_or(0);
    let peak = |place: &Place| count(place) > 10 && cube(*place, 2).all(|near| count(&near) <= count(place));
    // In C order, which is that of the map.
    let mut seeds: Vec<Place> = counts.keys().copied().filter(peak).collect();
    seeds.sort_by_key(count);
    let mut painted: BTreeMap<Place, usize> = BTreeMap::new();
    for (k, &seed) in seeds.iter().enumerate() {
        let mut grown = BTreeSet::from([seed]);
        for _ in 0..5 {
            grown = grown.iter().flat_map(|&place| cube(place, 1)).filter(|place| count(place) > 2).collect();
        }
        painted.extend(grown.into_iter().map(|place| (place, k + 1)));
    }
    let mut labels = vec![0; size.iter().product()];
    let label = |bin| painted.get(bin).copied().unwrap_or(0);
    points.voxels.iter().zip(&bins).for_each(|(&voxel, bin)| labels[voxel as usize] = label(bin));
    let volume = |label: usize| labels.iter().filter(|other| **other == label).count() as f64;
    let most = max_size_fraction * labels.len() as f64;
    let kept: BTreeSet<usize> = (1..=seeds.len()).filter(|&label| volume(label) <= most).collect();
    let mut order = vec![0];
    for label in labels.iter().filter(|label| kept.contains(label)) {
        if !order.contains(label) {
            order.push(*label);
        }
    }
    labels.iter().map(|label| order.iter().position(|other| other == label).unwrap_or(0) as u32).collect()
}

/// Walks of some of the voxels. Each ends in one of a few random sinks, or a little beside it. About as many walks end in
/// a sink as a seed needs, so that counts are often equal.
fn points() -> impl Strategy<Value = ([usize; 3], Points)> {
    let ends = (8..50usize, 0.05..1.0f32, 0.0..0.5f32);
    (size(13), ends, 0.0..0.6f32, any::<u64>()).prop_map(|(size, (walks, spread, beside), missing, seed)| {
        let n: usize = size.iter().product();
        let sinks = (n / walks).max(1);
        let values = noise(seed, 3 * sinks + 6 * n);
        let (sink, voxel) = values.split_at(3 * sinks);
        let mut points = Points::default();
        for (i, v) in voxel.chunks_exact(6).enumerate().filter(|(_, v)| v[0].abs() >= missing) {
            let k = ((v[1] + 1.0) / 2.0 * sinks as f32) as usize;
            points.voxels.push(i as u32);
            points.ends.push([0, 1, 2].map(|axis| {
                let centre = (0.5 + 0.5 * spread * sink[3 * k + axis]) * size[axis] as f32;
                let off = if v[2].abs() < beside { v[3 + axis] * 2.5 } else { 0.0 };
                (centre + off).clamp(0.0, (size[axis] - 1) as f32)
            }));
        }
        (size, points)
    })
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn labels((size, points) in points(), fraction in proptest::sample::select(vec![0.05, 0.4, 1.0])) {
        same(&cluster(&points, size, fraction), &reference(&points, size, fraction), size[2])?;
    }
}
