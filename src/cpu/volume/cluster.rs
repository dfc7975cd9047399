//! Masks from the end points of the voxels' walks: each peak of their histogram is a cell (`dynamics.get_masks_torch` in
//! 3D).

use rayon::prelude::*;

use super::follow::Points;
use super::{Size, around, voxels};
use crate::cpu::cluster::{BETWEEN, GROW_ABOVE, REACH, SEED_ABOVE, WINDOW, drop_large};
use crate::cpu::components::renumber;
use crate::memory::zeros;
use crate::watch::GoOn;

/// Which voxels of the cube around a seed belong to it: for each plane and row a bit for each column.
type Window = [[u16; WINDOW]; WINDOW];

/// Seeds whose cubes are in memory together: a megabyte of them.
const TOGETHER: usize = 4096;

/// Labels `[depth, height, width]`, numbered 1 to n in the order of their first voxels.
///
/// A seed is a voxel whose count is the maximum of the 5×5×5 voxels around it; every voxel of a plateau is a seed. Where
/// two seeds grow over the same voxel, the one with the higher count wins; where their counts tie, the one later in
/// C order wins (the original leaves ties to an unstable sort). Labels that cover more than `max_size_fraction` of the
/// volume are removed.
pub fn cluster(points: &Points, size: Size, max_size_fraction: f64) -> Vec<u32> {
    cluster_while(points, size, max_size_fraction, &|| true)
}

/// Like [`cluster`], and stops early, without labels, when `go_on` is false.
pub(crate) fn cluster_while(points: &Points, size: Size, max_size_fraction: f64, go_on: GoOn) -> Vec<u32> {
    let mut counts: Vec<u32> = zeros(voxels(size));
    for ends in points.ends.chunks(BETWEEN).take_while(|_| go_on()) {
        ends.iter().for_each(|&end| counts[bin(end, size)] += 1);
    }
    let seeds = seeds(&counts, size, go_on);
    let basins = basins(&counts, &seeds, size, go_on);
    if !go_on() {
        return Vec::new();
    }
    let mut labels = counts;
    labels.fill(0);
    for (voxels, ends) in points.voxels.chunks(BETWEEN).zip(points.ends.chunks(BETWEEN)) {
        if !go_on() {
            return Vec::new();
        }
        voxels.iter().zip(ends).for_each(|(&voxel, &end)| labels[voxel as usize] = basins[bin(end, size)]);
    }
    drop(basins);
    drop_large(&mut labels, seeds.len(), max_size_fraction);
    if !go_on() {
        return Vec::new();
    }
    renumber(&mut labels);
    labels
}

/// Index of the voxel in which a walk ended. As in the original, the position is truncated, not rounded.
fn bin(end: [f32; 3], size: Size) -> usize {
    let [z, y, x] = [0, 1, 2].map(|axis| (end[axis] as usize).min(size[axis] - 1));
    (z * size[1] + y) * size[2] + x
}

/// The seeds by ascending count, then in C order; not all of them when `go_on` is false.
fn seeds(counts: &[u32], [depth, height, width]: Size, go_on: GoOn) -> Vec<usize> {
    let is_maximum = |i: usize| {
        let (z, y, x) = (i / width / height, i / width % height, i % width);
        let mut rows = around(z, 2, depth).flat_map(|z| around(y, 2, height).map(move |y| z * height + y));
        rows.all(|row| counts[row * width..][around(x, 2, width)].iter().all(|&c| c <= counts[i]))
    };
    let row = |row: usize| {
        let voxels = if go_on() { row * width..(row + 1) * width } else { 0..0 };
        voxels.filter(|&i| counts[i] > SEED_ABOVE && is_maximum(i)).collect::<Vec<_>>()
    };
    let mut seeds: Vec<usize> = (0..depth * height).into_par_iter().flat_map_iter(row).collect();
    seeds.sort_by_key(|&i| counts[i]);
    seeds
}

/// The number of the seed, from 1, that each voxel belongs to; 0 for none. Later seeds paint over earlier ones.
fn basins(counts: &[u32], seeds: &[usize], size: Size, go_on: GoOn) -> Vec<u32> {
    let [_, height, width] = size;
    let mut basins: Vec<u32> = zeros(counts.len());
    let mut number = 0;
    for seeds in seeds.chunks(TOGETHER).take_while(|_| go_on()) {
        let windows: Vec<Window> = seeds.par_iter().map(|&seed| grow(counts, size, seed)).collect();
        for (seed, window) in seeds.iter().zip(&windows) {
            number += 1;
            for (plane, rows) in window.iter().enumerate() {
                for (row, &bits) in rows.iter().enumerate().filter(|(_, bits)| **bits != 0) {
                    // A voxel of the window lies in the volume, its row may begin before it.
                    let first = seed + (plane * height + row) * width;
                    for column in (0..WINDOW).filter(|column| bits >> column & 1 == 1) {
                        basins[first + column - (REACH * height + REACH) * width - REACH] = number;
                    }
                }
            }
        }
    }
    basins
}

/// Grows a seed `REACH` times to its 26 neighbours, over voxels in which enough walks ended.
fn grow(counts: &[u32], size: Size, seed: usize) -> Window {
    let allowed = allowed(counts, size, seed);
    let mut grown: Window = [[0; WINDOW]; WINDOW];
    grown[REACH][REACH] = 1 << REACH;
    for step in 1..=REACH {
        // Further than this from the middle nothing has grown yet.
        let reached = REACH - step..REACH + step + 1;
        let mut wide: Window = [[0; WINDOW]; WINDOW];
        for plane in reached.clone() {
            for row in reached.clone() {
                let rows = around(row, 1, WINDOW).map(|row| grown[plane][row]);
                let bits = rows.fold(0, |all, bits| all | bits);
                wide[plane][row] = bits | bits << 1 | bits >> 1;
            }
        }
        for plane in reached.clone() {
            for row in reached.clone() {
                let planes = around(plane, 1, WINDOW).map(|plane| wide[plane][row]);
                grown[plane][row] = planes.fold(0, |all, bits| all | bits) & allowed[plane][row];
            }
        }
    }
    grown
}

/// The voxels around a seed in which enough walks ended to grow over them.
fn allowed(counts: &[u32], [depth, height, width]: Size, seed: usize) -> Window {
    let (z, y, x) = (seed / width / height, seed / width % height, seed % width);
    let mut allowed: Window = [[0; WINDOW]; WINDOW];
    let columns = around(x, REACH, width);
    for plane in around(z, REACH, depth) {
        for row in around(y, REACH, height) {
            let counts = &counts[(plane * height + row) * width..][columns.clone()];
            let bits = counts.iter().rev().fold(0, |bits, &count| bits << 1 | u16::from(count > GROW_ABOVE));
            allowed[plane + REACH - z][row + REACH - y] = bits << (columns.start + REACH - x);
        }
    }
    allowed
}
