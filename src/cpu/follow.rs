//! Each pixel of a cell walks along the flows to the fixed point of its cell (`dynamics.follow_flows`).

use rayon::prelude::*;

use crate::memory::{room, zeros};
use crate::options::Sampling;
use crate::watch::GoOn;

/// Pixels that one task follows. Their number does not change the result.
const CHUNK: usize = 4096;

/// The pixels in cells and the points where their walks ended.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// Index of each pixel in the image in row-major order, ascending.
    pub pixels: Vec<u32>,
    /// The end point of each of these pixels, (y, x), in pixels from the centre of the first pixel of the image.
    pub ends: Vec<[f32; 2]>,
}

/// The step of each pixel, (y, x) in pixels: a fifth of the flow, zero outside cells.
struct Field {
    height: usize,
    width: usize,
    flow: Vec<[f32; 2]>,
}

/// Walks `niter` steps from each pixel whose `cellprob` exceeds the threshold.
///
/// `flows` is `[2, height, width]` (y, x), about five times a unit vector; `cellprob` is `[height, width]`.
pub fn follow(
    flows: &[f32],
    cellprob: &[f32],
    (height, width): (usize, usize),
    threshold: f32,
    niter: u32,
    sampling: Sampling,
) -> Points {
    follow_while(flows, cellprob, (height, width), threshold, niter, sampling, &|| true)
}

/// Like [`follow`], and stops early, with end points that mean nothing, when `go_on` is false.
pub(crate) fn follow_while(
    flows: &[f32],
    cellprob: &[f32],
    (height, width): (usize, usize),
    threshold: f32,
    niter: u32,
    sampling: Sampling,
    go_on: GoOn,
) -> Points {
    let (flow_y, flow_x) = flows.split_at(height * width);
    let mut flow: Vec<[f32; 2]> = zeros(height * width);
    flow.par_iter_mut().enumerate().filter(|(i, _)| cellprob[*i] > threshold).for_each(|(i, flow)| {
        *flow = [flow_y[i] / 5.0, flow_x[i] / 5.0];
    });
    let field = Field { height, width, flow };
    if !go_on() {
        return Points { pixels: Vec::new(), ends: Vec::new() };
    }
    let in_cells = || (0..height * width).filter(|&i| cellprob[i] > threshold);
    let count = in_cells().count();
    let (mut pixels, mut ends) = (room(count), room(count));
    pixels.extend(in_cells().map(|i| i as u32));
    if !go_on() {
        return Points { pixels, ends };
    }
    ends.extend(in_cells().map(|i| [(i / width) as f32, (i % width) as f32]));
    ends.par_chunks_mut(CHUNK).for_each(|points| match sampling {
        Sampling::Bilinear => walk(points, niter, go_on, |p| field.step(p, Field::bilinear)),
        Sampling::Nearest => walk(points, niter, go_on, |p| field.step(p, Field::nearest)),
        Sampling::GridSample => field.walk_grid(points, niter, go_on),
    });
    Points { pixels, ends }
}

/// Points that walk side by side, so that the processor computes one while another waits for its flow from memory.
const ABREAST: usize = 8;

/// Takes `niter` steps with each point, which has `N` coordinates.
pub(super) fn walk<const N: usize>(
    points: &mut [[f32; N]],
    niter: u32,
    go_on: GoOn,
    step: impl Fn([f32; N]) -> [f32; N],
) {
    for points in points.chunks_mut(ABREAST) {
        if !go_on() {
            return;
        }
        let mut walkers = [const { Walker::new() }; ABREAST];
        for (walker, &point) in walkers.iter_mut().zip(&*points) {
            *walker = Walker { at: point, mark: point, left: niter, ..Walker::new() };
        }
        while walkers.iter().any(|walker| walker.left > 0) {
            for walker in walkers.iter_mut().filter(|walker| walker.left > 0) {
                walker.go(step(walker.at));
            }
        }
        points.iter_mut().zip(&walkers).for_each(|(point, walker)| *point = walker.at);
    }
}

/// A point on its walk. A step depends on the position alone, so a walk that returns to a position repeats the same
/// cycle for ever (a point that stands still has a cycle of length 1), and whole rounds are skipped. Cycles are found
/// by Brent's algorithm (BIT 20, 1980): positions are compared with a mark, which is set after 1, 2, 4, 8… steps.
struct Walker<const N: usize> {
    at: [f32; N],
    mark: [f32; N],
    /// Steps since the mark was set.
    steps: u32,
    /// The number of steps after which the next mark is set.
    next_mark: u32,
    /// Steps that remain.
    left: u32,
}

impl<const N: usize> Walker<N> {
    const fn new() -> Self {
        Walker { at: [0.0; N], mark: [0.0; N], steps: 0, next_mark: 1, left: 0 }
    }

    fn go(&mut self, next: [f32; N]) {
        self.left -= 1;
        self.steps += 1;
        if next == self.at {
            self.left = 0;
        } else if next == self.mark {
            self.left %= self.steps;
        }
        self.at = next;
        if self.steps == self.next_mark {
            (self.mark, self.steps, self.next_mark) = (next, 0, 2 * self.next_mark);
        }
    }
}

impl Field {
    fn step(&self, [y, x]: [f32; 2], sample: impl Fn(&Self, [f32; 2]) -> [f32; 2]) -> [f32; 2] {
        let [dy, dx] = sample(self, [y, x]);
        [(y + dy).clamp(0.0, (self.height - 1) as f32), (x + dx).clamp(0.0, (self.width - 1) as f32)]
    }

    fn nearest(&self, [y, x]: [f32; 2]) -> [f32; 2] {
        self.flow[y as usize * self.width + x as usize]
    }

    fn bilinear(&self, [y, x]: [f32; 2]) -> [f32; 2] {
        let (top, left) = (y as usize, x as usize);
        let (bottom, right) = ((top + 1).min(self.height - 1), (left + 1).min(self.width - 1));
        let (y, x) = (y - top as f32, x - left as f32);
        let at = |row: usize, column: usize| self.flow[row * self.width + column];
        let corners = [at(top, left), at(top, right), at(bottom, left), at(bottom, right)];
        let weights = [(1.0 - y) * (1.0 - x), (1.0 - y) * x, y * (1.0 - x), y * x];
        weighted(corners, weights)
    }

    /// Walks in the coordinates of `grid_sample`, in which the image spans -1 to 1.
    fn walk_grid(&self, points: &mut [[f32; 2]], niter: u32, go_on: GoOn) {
        let spans = [self.height, self.width].map(|length| (length - 1) as f32);
        // Where the image is one pixel high or wide, the original divides by zero.
        let divisors = spans.map(|span| span.max(1.0));
        let steps = divisors.map(|span| 2.0 / span);
        for point in points.iter_mut() {
            *point = [0, 1].map(|axis| point[axis] / divisors[axis] * 2.0 - 1.0);
        }
        walk(points, niter, go_on, |p| {
            let flow = self.grid_sample(p);
            [0, 1].map(|axis| (p[axis] + flow[axis] * steps[axis]).clamp(-1.0, 1.0))
        });
        for point in points {
            *point = [0, 1].map(|axis| (point[axis] + 1.0) * 0.5 * spans[axis]);
        }
    }

    /// `align_corners=False` means that -1 and 1 are the outer borders of the image. Since `walk_grid` takes them for
    /// the centres of the outermost pixels, as the original does, samples are up to half a pixel off. Outside is 0.
    fn grid_sample(&self, [y, x]: [f32; 2]) -> [f32; 2] {
        let y = ((y + 1.0) * self.height as f32 - 1.0) / 2.0;
        let x = ((x + 1.0) * self.width as f32 - 1.0) / 2.0;
        let (top, left) = (y.floor(), x.floor());
        let at = |row: f32, column: f32| {
            let inside =
                row >= 0.0 && column >= 0.0 && row < self.height as f32 && column < self.width as f32;
            if inside { self.flow[row as usize * self.width + column as usize] } else { [0.0; 2] }
        };
        let corners = [at(top, left), at(top, left + 1.0), at(top + 1.0, left), at(top + 1.0, left + 1.0)];
        let (south, east) = (y - top, x - left);
        let (north, west) = (top + 1.0 - y, left + 1.0 - x);
        weighted(corners, [north * west, north * east, south * west, south * east])
    }
}

fn weighted(corners: [[f32; 2]; 4], weights: [f32; 4]) -> [f32; 2] {
    [0, 1].map(|axis| {
        let [a, b, c, d] = corners.map(|flow| flow[axis]);
        a * weights[0] + b * weights[1] + c * weights[2] + d * weights[3]
    })
}
