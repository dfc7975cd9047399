//! `cluster`: the peaks of the histogram, on arrays with a margin of 20 pixels as in the original.

use flowmask::cpu::cluster::cluster;
use flowmask::cpu::follow::Points;
use proptest::prelude::*;

use crate::check::{config, noise, same, side};

type Grid<T> = Vec<Vec<T>>;

/// The maximum over the square of pixels up to `reach` away from each element.
fn max_pool(grid: &Grid<usize>, reach: usize) -> Grid<usize> {
    let (height, width) = (grid.len(), grid[0].len());
    let around = |i: usize, length: usize| i.saturating_sub(reach)..(i + reach + 1).min(length);
    let pixel =
        |y: usize, x: usize| grid[around(y, height)].iter().flat_map(|row| &row[around(x, width)]).max();
    (0..height).map(|y| (0..width).map(|x| *pixel(y, x).unwrap()).collect()).collect()
}

fn reference(points: &Points, (height, width): (usize, usize), max_size_fraction: f64) -> Vec<u32> {
    let bin = |v: f32, side: usize| (v as i64 + 20).clamp(0, side as i64 + 19) as usize;
    let bins: Vec<_> = points.ends.iter().map(|&[y, x]| (bin(y, height), bin(x, width))).collect();
    let mut counts = vec![vec![0; width + 40]; height + 40];
    bins.iter().for_each(|&(y, x)| counts[y][x] += 1);
    let peaks = max_pool(&counts, 2);
    let all = (0..height + 40).flat_map(|y| (0..width + 40).map(move |x| (y, x)));
    let mut seeds: Vec<_> = all.filter(|&(y, x)| counts[y][x] == peaks[y][x] && counts[y][x] > 10).collect();
    seeds.sort_by_key(|&(y, x)| counts[y][x]);
    let mut painted = vec![vec![0; width + 40]; height + 40];
    for (k, &(y, x)) in seeds.iter().enumerate() {
        let mut window = vec![vec![0; 11]; 11];
        window[5][5] = 1;
        for _ in 0..5 {
            window = max_pool(&window, 1);
            (0..121).for_each(|i| {
                window[i / 11][i % 11] *= usize::from(counts[y + i / 11 - 5][x + i % 11 - 5] > 2)
            });
        }
        for i in (0..121).filter(|i| window[i / 11][i % 11] == 1) {
            painted[y + i / 11 - 5][x + i % 11 - 5] = k + 1;
        }
    }
    let mut labels = vec![0; height * width];
    points.pixels.iter().zip(bins).for_each(|(&pixel, (y, x))| labels[pixel as usize] = painted[y][x]);
    let areas: Vec<_> =
        labels.iter().map(|label| labels.iter().filter(|other| *other == label).count()).collect();
    let big = |area: usize| area as f64 > max_size_fraction * (height * width) as f64;
    labels.iter_mut().zip(areas).for_each(|(label, area)| *label *= usize::from(!big(area)));
    let mut order = vec![0];
    for label in &labels {
        if !order.contains(label) {
            order.push(*label);
        }
    }
    labels.iter().map(|label| order.iter().position(|other| other == label).unwrap() as u32).collect()
}

/// Walks of some of the pixels. Each ends in one of a few random sinks, or a little beside it; the sinks lie close
/// together or far apart. About as many walks end in a sink as a seed needs, so that counts are often equal.
fn points() -> impl Strategy<Value = ((usize, usize), Points)> {
    let ends = (8..50usize, 0.05..1.0f32, 0.0..0.5f32);
    (side(36), side(36), ends, 0.0..0.6f32, any::<u64>()).prop_map(
        |(height, width, (walks, spread, beside), missing, seed)| {
            let n = height * width;
            let sinks = (n / walks).max(1);
            let values = noise(seed, 2 * sinks + 5 * n);
            let (sink, pixel) = values.split_at(2 * sinks);
            let mut points = Points::default();
            let inside = |(_, v): &(usize, &[f32])| v[0].abs() >= missing;
            for (i, v) in pixel.chunks_exact(5).enumerate().filter(inside) {
                let k = ((v[1] + 1.0) / 2.0 * sinks as f32) as usize;
                let along = |axis: usize, side: usize| {
                    let centre = (0.5 + 0.5 * spread * sink[2 * k + axis]) * side as f32;
                    let off = if v[2].abs() < beside { v[3 + axis] * 2.5 } else { 0.0 };
                    (centre + off).clamp(0.0, (side - 1) as f32)
                };
                points.pixels.push(i as u32);
                points.ends.push([along(0, height), along(1, width)]);
            }
            ((height, width), points)
        },
    )
}

proptest! {
    #![proptest_config(config(800))]

    #[test]
    fn labels((size, points) in points(), fraction in proptest::sample::select(vec![0.05, 0.4, 1.0])) {
        same(&cluster(&points, size, fraction), &reference(&points, size, fraction), size.1)?;
    }
}
