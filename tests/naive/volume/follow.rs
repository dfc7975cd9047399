//! `follow`: every step of every voxel from the definition of the sampling, without skipping cycles.

use std::collections::HashMap;

use flowmask::Sampling;
use flowmask::cpu::volume::follow::{Points, follow};
use proptest::prelude::*;

use super::{all, index, size};
use crate::check::{ULP, close, config, noise, same};

/// Random flows. Some of the voxels are in cells.
#[derive(Clone, Debug)]
struct Case {
    size: [usize; 3],
    flows: Vec<f32>,
    cellprob: Vec<f32>,
    threshold: f32,
}

impl Case {
    fn new(size: [usize; 3], speed: f32, threshold: f32, seed: u64) -> Self {
        let n: usize = size.iter().product();
        let mut flows: Vec<f32> = noise(seed, 4 * n).into_iter().map(|v| v * speed).collect();
        let cellprob = flows.split_off(3 * n).into_iter().map(|v| v / speed).collect();
        Case { size, flows, cellprob, threshold }
    }

    fn follow(&self, niter: u32, sampling: Sampling) -> Points {
        follow(&self.flows, &self.cellprob, self.size, self.threshold, niter, sampling)
    }

    /// The step of a voxel in voxels: zero outside cells.
    fn step(&self, place: [usize; 3]) -> [f32; 3] {
        let (i, n) = (index(self.size, place), self.cellprob.len());
        [0, 1, 2]
            .map(|axis| if self.cellprob[i] > self.threshold { self.flows[axis * n + i] / 5.0 } else { 0.0 })
    }

    /// The voxels in cells, and their places.
    fn starts(&self) -> (Vec<u32>, Vec<[f32; 3]>) {
        let inside = all(self.size).enumerate().filter(|(i, _)| self.cellprob[*i] > self.threshold);
        inside.map(|(i, place)| (i as u32, place.map(|v| v as f32))).unzip()
    }

    fn last(&self) -> [f64; 3] {
        self.size.map(|length| (length - 1) as f64)
    }

    /// A step in the coordinates of `grid_sample`, with the same operations on the same numbers: bit by bit
    /// the same.
    fn exact_step(&self, p: [f32; 3]) -> [f32; 3] {
        let at = [0, 1, 2].map(|axis| ((p[axis] + 1.0) * self.size[axis] as f32 - 1.0) / 2.0);
        let begin = at.map(f32::floor);
        let mut sum = [0.0; 3];
        for corner in 0..8usize {
            let far = [corner >> 2 & 1, corner >> 1 & 1, corner & 1];
            let side = |axis: usize| match far[axis] {
                0 => begin[axis] + 1.0 - at[axis],
                _ => at[axis] - begin[axis],
            };
            let weight = side(2) * side(1) * side(0);
            let place = [0, 1, 2].map(|axis| begin[axis] as i64 + far[axis] as i64);
            if (0..3).all(|axis| (0..self.size[axis] as i64).contains(&place[axis])) {
                let step = self.step(place.map(|i| i as usize));
                let unit = |axis: usize| (2.0 / self.last()[axis]) as f32;
                sum = [0, 1, 2].map(|axis| sum[axis] + step[axis] * unit(axis) * weight);
            }
        }
        [0, 1, 2].map(|axis| (p[axis] + sum[axis]).clamp(-1.0, 1.0))
    }

    /// The end of a walk of `niter` steps, each of them taken.
    fn stepped(&self, start: [f32; 3], niter: u32) -> [f32; 3] {
        self.end((0..niter).fold(self.first(start), |p, _| self.exact_step(p)))
    }

    /// The same by the definition of a cycle, if it closes soon: a walk that is where it has been goes the same way
    /// again.
    fn cycled(&self, start: [f32; 3], niter: u32) -> Option<[f32; 3]> {
        let mut p = self.first(start);
        let (mut path, mut steps) = (Vec::new(), HashMap::new());
        while path.len() < 3000 {
            if let Some(first) = steps.insert(p.map(f32::to_bits), path.len()) {
                return Some(self.end(path[first + (niter as usize - first) % (path.len() - first)]));
            }
            path.push(p);
            p = self.exact_step(p);
        }
        None
    }

    /// A place in the coordinates of `grid_sample`, and back.
    fn first(&self, start: [f32; 3]) -> [f32; 3] {
        [0, 1, 2].map(|axis| start[axis] / self.last()[axis] as f32 * 2.0 - 1.0)
    }

    fn end(&self, p: [f32; 3]) -> [f32; 3] {
        [0, 1, 2].map(|axis| (p[axis] + 1.0) * 0.5 * self.last()[axis] as f32)
    }

    /// A step by `grid_sample(mode="bilinear", padding_mode="zeros", align_corners=False)`: of `L` voxels,
    /// voxel `i` has its centre at `(2i + 1) / L - 1`.
    fn grid_sample(&self, p: [f64; 3]) -> [f64; 3] {
        let last = self.last();
        let pt = [0, 1, 2].map(|axis| p[axis] / last[axis] * 2.0 - 1.0);
        let mut d = [0.0; 3];
        for place in all(self.size) {
            let weight = |axis: usize| {
                let length = self.size[axis] as f64;
                let centre = (2 * place[axis] + 1) as f64 / length - 1.0;
                (1.0 - (pt[axis] - centre).abs() * length / 2.0).max(0.0)
            };
            let weight = weight(0) * weight(1) * weight(2);
            let step = self.step(place);
            d = [0, 1, 2].map(|axis| d[axis] + weight * f64::from(step[axis]) * 2.0 / last[axis]);
        }
        [0, 1, 2].map(|axis| ((pt[axis] + d[axis]).clamp(-1.0, 1.0) + 1.0) / 2.0 * last[axis])
    }
}

/// The most steps that options allow.
const MOST: u32 = 1_000_000;

fn case() -> impl Strategy<Value = Case> {
    let speed = proptest::sample::select(vec![0.5f32, 5.0, 40.0]);
    let threshold = proptest::sample::select(vec![-2.0f32, -0.5, 0.0, 0.5, 2.0]);
    (size(6), speed, threshold, any::<u64>())
        .prop_map(|(size, speed, threshold, seed)| Case::new(size, speed, threshold, seed))
}

fn doubles(points: &[[f32; 3]]) -> Vec<f64> {
    points.as_flattened().iter().map(|&v| v.into()).collect()
}

proptest! {
    #![proptest_config(config(200))]

    /// Step by step: each starts from the point that `follow` reached before, so the bound is that of one
    /// step.
    #[test]
    fn grid_sample(case in case()) {
        prop_assume!(case.size.iter().all(|length| *length > 1));
        let side = *case.size.iter().max().unwrap() as f64;
        let largest = f64::from(case.flows.iter().fold(0.0f32, |a, b| a.max(b.abs()))) / 5.0;
        // Converting a position to the coordinates of `grid_sample` and back costs a few roundings. They
        // change the flow by at most twice its largest value a voxel along each axis. A flow is a sum of
        // eight terms, whose weights sum to 1, with three roundings in the weight, three in the term and
        // seven in the sum.
        let bound = ULP * (4.0 * side * (1.0 + 6.0 * largest) + 18.0 * largest);
        let mut before = case.follow(0, Sampling::GridSample);
        let (voxels, starts) = case.starts();
        same(&before.voxels, &voxels, 1)?;
        close(before.ends.as_flattened(), &doubles(&starts), |_| bound, 3)?;
        for niter in 1..20 {
            let after = case.follow(niter, Sampling::GridSample);
            let want: Vec<f64> = before.ends.iter().flat_map(|p| case.grid_sample(p.map(f64::from))).collect();
            close(after.ends.as_flattened(), &want, |_| bound, 3)
                .map_err(|e| TestCaseError::fail(format!("step {niter}, end {e}")))?;
            before = after;
        }
        prop_assert_eq!(case.follow(19, Sampling::Bilinear).ends, before.ends);
    }

    /// Walks that meet go on as one, and rounds of cycles are skipped: neither may be seen.
    #[test]
    fn many_steps(case in case(), niter in prop_oneof![0..70u32, 100..400u32]) {
        prop_assume!(case.size.iter().all(|length| *length > 1));
        let starts = case.starts().1;
        let want: Vec<_> = starts.iter().map(|start| case.stepped(*start, niter)).collect();
        same(&case.follow(niter, Sampling::GridSample).ends, &want, 1)?;
    }

    #[test]
    fn nearest(case in case(), niter in 0..200u32) {
        let (voxels, mut ends) = case.starts();
        let last = case.last().map(|v| v as f32);
        for p in &mut ends {
            for _ in 0..niter {
                let step = case.step(p.map(|v| v as usize));
                *p = [0, 1, 2].map(|axis| (p[axis] + step[axis]).clamp(0.0, last[axis]));
            }
        }
        let got = case.follow(niter, Sampling::Nearest);
        same(&got.voxels, &voxels, 1)?;
        same(&got.ends, &ends, 1)?;
    }

    /// Also in volumes of one plane, row or column.
    #[test]
    fn ends_lie_in_the_volume(case in case(), niter in 0..50u32) {
        for sampling in [Sampling::GridSample, Sampling::Nearest] {
            for end in case.follow(niter, sampling).ends {
                let inside = (0..3).all(|axis| end[axis] >= 0.0 && f64::from(end[axis]) <= case.last()[axis]);
                prop_assert!(inside, "{sampling:?}: {end:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(config(4))]

    /// A million steps of the walks whose cycles close soon.
    #[test]
    fn all_steps(side in 3..6usize, seed: u64) {
        let case = Case::new([side, 4, 5], 0.5, 0.0, seed);
        let ends = case.follow(MOST, Sampling::GridSample).ends;
        let want = case.starts().1.into_iter().map(|start| case.cycled(start, MOST));
        let (ends, want): (Vec<_>, Vec<_>) =
            ends.into_iter().zip(want).filter_map(|(end, want)| Some((end, want?))).unzip();
        prop_assert!(want.len() > 4);
        same(&ends, &want, 1)?;
    }

    /// So many walks that they are followed in parts, of at least 4096 each.
    #[test]
    fn parts(depth in 18..22usize, speed in 0.5..8f32, seed: u64, niter in 100..400u32) {
        let case = Case::new([depth, 21, 24], speed, -2.0, seed);
        let starts = case.starts().1;
        prop_assert!(starts.len() > 2 * 4096);
        let want: Vec<_> = starts.iter().map(|start| case.stepped(*start, niter)).collect();
        same(&case.follow(niter, Sampling::GridSample).ends, &want, 1)?;
    }
}
