//! `tile_norm`: each step from its definition, pixel by pixel.

use flowmask::cpu::tile_norm::tile_norm;
use flowmask::{Compat, Normalize};
use proptest::prelude::*;

use crate::check::{close, config, noise, side};

/// The first pixels of the blocks along an axis, and their length.
fn starts(length: usize, block: usize) -> (Vec<usize>, usize) {
    let count = if length <= block { 1 } else { (1.2 * length as f64 / block as f64).ceil() as usize };
    let last = (length - block.min(length)) as f64;
    let start = |i: usize| if count == 1 { 0.0 } else { last / (count - 1) as f64 * i as f64 };
    ((0..count).map(|i| (start(i) + 1e-9) as usize).collect(), block.min(length))
}

fn percentile(values: &[f32], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let rank = q / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (f64::from(sorted[rank as usize]), f64::from(sorted[rank.ceil() as usize]));
    low + (high - low) * rank.fract()
}

/// The values at `[plane, row, column]` smoothed along one of the axes, which is mirrored at its ends.
fn smooth(levels: &[f64], shape: [usize; 3], axis: usize, sigma: f64) -> Vec<f64> {
    let reach = (4.0 * sigma + 0.5) as isize;
    let weight = |d: isize| (-0.5 * (d * d) as f64 / (sigma * sigma)).exp();
    let all: f64 = (-reach..=reach).map(weight).sum();
    let at = |i: usize, d: isize| {
        let mut place = [i / shape[2] / shape[1], i / shape[2] % shape[1], i % shape[2]];
        let length = shape[axis] as isize;
        let mirrored = (place[axis] as isize + d).rem_euclid(2 * length);
        place[axis] = if mirrored < length { mirrored } else { 2 * length - 1 - mirrored } as usize;
        levels[(place[0] * shape[1] + place[1]) * shape[2] + place[2]]
    };
    (0..levels.len()).map(|i| (-reach..=reach).map(|d| weight(d) * at(i, d)).sum::<f64>() / all).collect()
}

/// The value between the middles of blocks.
fn between(levels: &[f64], (ny, nx): (usize, usize), (y, x): (f64, f64)) -> f64 {
    let clamp = |v: f64, n: usize| v.clamp(0.0, (n - 1) as f64);
    let (y, x) = (clamp(y, ny), clamp(x, nx));
    let at = |y: f64, x: f64| levels[y as usize * nx + x as usize];
    let row = |y: f64| at(y, x.floor()) * (1.0 - x.fract()) + at(y, x.ceil()) * x.fract();
    row(y.floor()) * (1.0 - y.fract()) + row(y.ceil()) * y.fract()
}

fn reference(planes: &[Vec<f32>], (height, width): (usize, usize), options: &Normalize) -> Vec<f64> {
    let ((ys, tall), (xs, wide)) =
        (starts(height, options.tile_norm_blocksize), starts(width, options.tile_norm_blocksize));
    let (ny, nx, nz) = (ys.len(), xs.len(), planes.len());
    let mut levels = [Vec::new(), Vec::new()];
    let mut any = false;
    for plane in planes {
        let mut own: Vec<[f64; 2]> = Vec::new();
        for &y0 in &ys {
            for &x0 in &xs {
                let pixels = (y0..y0 + tall).flat_map(|y| (x0..x0 + wide).map(move |x| y * width + x));
                let values: Vec<f32> = pixels.map(|i| plane[i]).collect();
                own.push(options.percentile.map(|q| percentile(&values, q)));
            }
        }
        let good: Vec<usize> = (0..own.len()).filter(|&i| own[i][1] - own[i][0] > 1e-3).collect();
        any |= !good.is_empty();
        let far = |a: usize, b: usize| (a / nx).abs_diff(b / nx).pow(2) + (a % nx).abs_diff(b % nx).pow(2);
        for i in 0..own.len() {
            let filled = match good.iter().min_by_key(|&&g| far(i, g)) {
                Some(&nearest) => own[nearest],
                None => [0.0, 1.0],
            };
            levels[0].push(filled[0]);
            levels[1].push(filled[1]);
        }
    }
    let levels = levels.map(|levels| {
        let shape = [nz, ny, nx];
        let levels = smooth(&smooth(&levels, shape, 0, 1.0), shape, 1, 1.0);
        if !options.norm3d {
            return levels;
        }
        let sigma = if options.tile_norm_smooth3d > 0.0 { options.tile_norm_smooth3d } else { 1.0 };
        let levels = smooth(&levels, shape, 1, sigma);
        let mean = |i: usize| levels[i..].iter().step_by(ny * nx).sum::<f64>() / nz as f64;
        (0..nz * ny * nx).map(|i| mean(i % (ny * nx))).collect()
    });
    let pixel = |i: usize| {
        let (z, y, x) = (i / width / height, i / width % height, i % width);
        let middle = |i: usize, n: usize, length: usize| (i as f64 + 0.5) * n as f64 / length as f64 - 0.5;
        let [low, high] = [0, 1].map(|k| {
            let own = &levels[k][z * ny * nx..][..ny * nx];
            between(own, (ny, nx), (middle(y, ny, height), middle(x, nx, width)))
        });
        let value = (f64::from(planes[z][i % (height * width)]) - low) / (high - low);
        if !any {
            0.0
        } else if options.invert {
            1.0 - value
        } else {
            value
        }
    };
    (0..nz * height * width).map(pixel).collect()
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn small_stacks(
        (nz, height, width) in (1..4usize, side(24), side(24)),
        (blocksize, smooth3d) in (1..30usize, prop_oneof![Just(0.0), Just(1.0), 0.3..3.0]),
        (norm3d, invert, flat) in (any::<bool>(), any::<bool>(), 0..3u32),
        seed in any::<u32>(),
    ) {
        // A part without contrast, or all.
        let even = |i: usize| flat == 2 || flat == 1 && i % width < width / 2;
        let planes: Vec<Vec<f32>> = (0..nz).map(|z| {
            let values = noise(u64::from(seed) + z as u64, height * width);
            let value = |(i, v): (usize, f32)| if even(i) { 7.0 } else { 10.0 + 5.0 * (v * 8.0).floor() };
            values.into_iter().enumerate().map(value).collect()
        }).collect();
        let options = Normalize::default()
            .tile_norm_blocksize(blocksize)
            .tile_norm_smooth3d(smooth3d)
            .norm3d(norm3d)
            .invert(invert)
            .percentile([2.0, 97.0]);
        let want = reference(&planes, (height, width), &options);
        // A second channel does not change the first.
        let mut got: Vec<Vec<f32>> =
            planes.iter().map(|plane| plane.iter().flat_map(|&v| [v, -v]).collect()).collect();
        tile_norm(&mut got, (height, width), 2, &options, Compat::None);
        let got: Vec<f32> = got.iter().flatten().step_by(2).copied().collect();
        close(&got, &want, |i| 2e-4 * (1.0 + want[i].abs()), width)?;
    }
}
