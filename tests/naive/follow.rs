//! `follow`: every step of every pixel from the definition of the sampling, without skipping cycles.

use flowmask::Sampling;
use flowmask::cpu::follow::{Points, follow};
use proptest::prelude::*;

use crate::check::{ULP, close, config, noise, same, side};

/// The step of each pixel in pixels, `[2, height, width]`, zero outside cells.
struct Field {
    height: usize,
    width: usize,
    flows: Vec<f32>,
}

impl Field {
    fn at(&self, axis: usize, y: usize, x: usize) -> f64 {
        self.flows[(axis * self.height + y) * self.width + x].into()
    }

    /// A step by bilinear interpolation between four pixels. Beyond the image, the last row and column are repeated.
    fn bilinear(&self, p: [f64; 2]) -> [f64; 2] {
        let [top, left] = p.map(|v| v as usize);
        let (bottom, right) = ((top + 1).min(self.height - 1), (left + 1).min(self.width - 1));
        let (y, x) = (p[0] - top as f64, p[1] - left as f64);
        let d = [0, 1].map(|axis| {
            self.at(axis, top, left) * (1.0 - y) * (1.0 - x)
                + self.at(axis, top, right) * (1.0 - y) * x
                + self.at(axis, bottom, left) * y * (1.0 - x)
                + self.at(axis, bottom, right) * y * x
        });
        let last = [self.height - 1, self.width - 1].map(|v| v as f64);
        [0, 1].map(|axis| (p[axis] + d[axis]).clamp(0.0, last[axis]))
    }

    /// A step by `torch.nn.functional.grid_sample(mode="bilinear", padding_mode="zeros", align_corners=False)`. In its
    /// coordinates -1 and 1 are the outer borders of the image, so of `L` pixels, pixel `i` has its centre at
    /// `(2i + 1) / L - 1`.
    fn grid_sample(&self, p: [f64; 2]) -> [f64; 2] {
        let last = [self.height - 1, self.width - 1].map(|v| v as f64);
        let pt = [0, 1].map(|axis| p[axis] / last[axis] * 2.0 - 1.0);
        let weight = |pt: f64, i: usize, length: usize| {
            let centre = (2 * i + 1) as f64 / length as f64 - 1.0;
            (1.0 - (pt - centre).abs() * length as f64 / 2.0).max(0.0)
        };
        let mut d = [0.0; 2];
        for y in 0..self.height {
            for x in 0..self.width {
                let w = weight(pt[0], y, self.height) * weight(pt[1], x, self.width);
                d = [0, 1].map(|axis| d[axis] + w * self.at(axis, y, x) * 2.0 / last[axis]);
            }
        }
        [0, 1].map(|axis| ((pt[axis] + d[axis]).clamp(-1.0, 1.0) + 1.0) / 2.0 * last[axis])
    }

    /// A step by the flow of the nearest pixel, in single precision: it is a single addition.
    fn nearest(&self, p: [f32; 2]) -> [f32; 2] {
        let [y, x] = p.map(|v| v as usize);
        let last = [self.height - 1, self.width - 1].map(|v| v as f32);
        [0, 1].map(|axis| (p[axis] + self.at(axis, y, x) as f32).clamp(0.0, last[axis]))
    }
}

/// Random flows of up to 8 pixels a step. Some of the pixels are in cells.
#[derive(Clone, Debug)]
struct Case {
    size: (usize, usize),
    flows: Vec<f32>,
    cellprob: Vec<f32>,
    threshold: f32,
}

impl Case {
    fn field(&self) -> Field {
        let n = self.cellprob.len();
        let inside = |i: usize| if self.cellprob[i % n] > self.threshold { 1.0 } else { 0.0 };
        let flows = (0..2 * n).map(|i| self.flows[i] * inside(i) / 5.0).collect();
        Field { height: self.size.0, width: self.size.1, flows }
    }

    fn follow(&self, niter: u32, sampling: Sampling) -> Points {
        follow(&self.flows, &self.cellprob, self.size, self.threshold, niter, sampling)
    }

    /// The pixels in cells, and their positions.
    fn starts(&self) -> (Vec<u32>, Vec<[f32; 2]>) {
        let inside = |i: &usize| self.cellprob[*i] > self.threshold;
        let pixels = (0..self.cellprob.len()).filter(inside);
        pixels.map(|i| (i as u32, [(i / self.size.1) as f32, (i % self.size.1) as f32])).unzip()
    }
}

fn case() -> impl Strategy<Value = Case> {
    let speed = proptest::sample::select(vec![0.5f32, 5.0, 40.0]);
    let threshold = proptest::sample::select(vec![-2.0f32, -0.5, 0.0, 0.5, 2.0]);
    (side(12), side(12), speed, threshold, any::<u64>()).prop_map(
        |(height, width, speed, threshold, seed)| {
            let n = height * width;
            let mut flows: Vec<f32> = noise(seed, 3 * n).into_iter().map(|v| v * speed).collect();
            let cellprob = flows.split_off(2 * n).into_iter().map(|v| v / speed).collect();
            Case { size: (height, width), flows, cellprob, threshold }
        },
    )
}

/// Compares step by step: each starts from the point that `follow` reached before. So the bound is that of one step,
/// even if the walk is chaotic.
fn every_step(
    case: &Case,
    sampling: Sampling,
    step: impl Fn([f64; 2]) -> [f64; 2],
    bound: f64,
) -> Result<(), TestCaseError> {
    let mut before = case.follow(0, sampling);
    let (pixels, starts) = case.starts();
    same(&before.pixels, &pixels, 1)?;
    close(before.ends.as_flattened(), &doubles(&starts), |_| bound, 2)?;
    for niter in 1..40 {
        let after = case.follow(niter, sampling);
        let want: Vec<f64> = before.ends.iter().flat_map(|p| step(p.map(f64::from))).collect();
        close(after.ends.as_flattened(), &want, |_| bound, 2)
            .map_err(|e| TestCaseError::fail(format!("step {niter}, end {e}")))?;
        before = after;
    }
    Ok(())
}

fn doubles(points: &[[f32; 2]]) -> Vec<f64> {
    points.as_flattened().iter().map(|&v| v.into()).collect()
}

/// The larger of height and width, and the largest step.
fn extent(case: &Case) -> (f64, f64) {
    let largest = case.flows.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    (case.size.0.max(case.size.1) as f64, f64::from(largest) / 5.0)
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn bilinear(case in case()) {
        let (side, largest) = extent(&case);
        // Four terms, whose weights sum to 1, have two roundings in the weight, two in the term and three in the sum.
        // The new position adds one.
        let bound = ULP * (7.0 * largest + side);
        let field = case.field();
        every_step(&case, Sampling::Bilinear, |p| field.bilinear(p), bound)?;
    }

    #[test]
    fn grid_sample(case in case()) {
        prop_assume!(case.size.0 > 1 && case.size.1 > 1);
        let (side, largest) = extent(&case);
        // Converting a position to the coordinates of `grid_sample` and back costs a few roundings. They change the
        // flow by at most twice its largest value a pixel along each axis. The flow has roundings of its own, as above.
        let bound = ULP * (4.0 * side * (1.0 + 4.0 * largest) + 11.0 * largest);
        let field = case.field();
        every_step(&case, Sampling::GridSample, |p| field.grid_sample(p), bound)?;
    }

    #[test]
    fn nearest(case in case(), niter in 0..200u32) {
        let (field, got) = (case.field(), case.follow(niter, Sampling::Nearest));
        let (pixels, mut ends) = case.starts();
        for _ in 0..niter {
            ends.iter_mut().for_each(|p| *p = field.nearest(*p));
        }
        same(&got.pixels, &pixels, 1)?;
        same(&got.ends, &ends, 1)?;
    }

    /// Also in images that are one pixel high or wide, where the coordinates of `grid_sample` would divide by zero.
    #[test]
    fn ends_lie_in_the_image(case in case(), niter in 0..50u32) {
        for sampling in [Sampling::Bilinear, Sampling::GridSample, Sampling::Nearest] {
            for [y, x] in case.follow(niter, sampling).ends {
                let inside = |v: f32, side: usize| v >= 0.0 && v <= (side - 1) as f32;
                prop_assert!(inside(y, case.size.0) && inside(x, case.size.1), "{sampling:?}: ({y}, {x})");
            }
        }
    }
}
