//! Each voxel of a cell walks along the flows to the fixed point of its cell (`dynamics.follow_flows` in 3D).

use rayon::prelude::*;

use super::merge::walk_merging;
use super::walk::Lanes;
use super::{Size, voxels};
use crate::cpu::follow::walk;
use crate::memory::{room, zeros};
use crate::options::Sampling;
use crate::plan::together::together;
use crate::watch::GoOn;

/// The voxels in cells and the points where their walks ended.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// Index of each voxel in the volume in C order, ascending.
    pub voxels: Vec<u32>,
    /// The end point of each of these voxels, (z, y, x), in voxels from the centre of the first voxel of the
    /// volume.
    pub ends: Vec<[f32; 3]>,
}

/// The step of each voxel, (z, y, x), and a number that is not used: four of them fill a vector register. A
/// step is zero outside cells, and in the units in which points walk.
pub(super) struct Field {
    size: Size,
    /// The size as it is used in sums.
    pub(super) lengths: [f32; 3],
    steps: Vec<[f32; 4]>,
}

/// Walks `niter` steps from each voxel whose `cellprob` exceeds the threshold.
///
/// `flows` is `[3, depth, height, width]` (z, y, x), about five times a unit vector; `cellprob` is
/// `[depth, height, width]`, with fewer than 2³² voxels. Flows between voxels are those of `grid_sample`, as in
/// the original: both [`Sampling::GridSample`] and [`Sampling::Bilinear`] mean it.
pub fn follow(
    flows: &[f32],
    cellprob: &[f32],
    size: Size,
    threshold: f32,
    niter: u32,
    sampling: Sampling,
) -> Points {
    follow_while(flows, cellprob, size, threshold, niter, sampling, &|| true)
}

/// Like [`follow`], and stops early, with end points that mean nothing, when `go_on` is false.
pub(crate) fn follow_while(
    flows: &[f32],
    cellprob: &[f32],
    size: Size,
    threshold: f32,
    niter: u32,
    sampling: Sampling,
    go_on: GoOn,
) -> Points {
    let inside = |i: usize| cellprob[i] > threshold;
    let mut points = starts(size, inside);
    if !go_on() {
        return points;
    }
    let spans = size.map(|length| (length - 1) as f32);
    // Where the volume is one voxel long, the original divides by zero.
    let divisors = spans.map(|span| span.max(1.0));
    let units = match sampling {
        Sampling::Nearest => [1.0; 3],
        Sampling::Bilinear | Sampling::GridSample => divisors.map(|span| (2.0 / f64::from(span)) as f32),
    };
    let field = Field::new(flows, size, units, inside);
    let together = together(points.ends.len(), rayon::current_num_threads());
    points.ends.par_chunks_mut(together).for_each(|points| match sampling {
        Sampling::Nearest => walk(points, niter, go_on, |p| {
            let step = field.steps[field.index(p.map(|v| v as usize))];
            [0, 1, 2].map(|axis| (p[axis] + step[axis]).clamp(0.0, spans[axis]))
        }),
        Sampling::Bilinear | Sampling::GridSample => {
            // In the coordinates of `grid_sample` the volume spans -1 to 1.
            for point in points.iter_mut() {
                *point = [0, 1, 2].map(|axis| point[axis] / divisors[axis] * 2.0 - 1.0);
            }
            walk_merging(&field, points, niter, go_on);
            for point in points {
                *point = [0, 1, 2].map(|axis| (point[axis] + 1.0) * 0.5 * spans[axis]);
            }
        }
    });
    points
}

/// The voxels in cells, each at its own place.
fn starts(size: Size, inside: impl Fn(usize) -> bool + Sync) -> Points {
    let [_, height, width] = size;
    let count = (0..voxels(size)).into_par_iter().filter(|&i| inside(i)).count();
    let (mut voxels, mut ends) = (room(count), room(count));
    for row in 0..size[0] * height {
        let (z, y) = ((row / height) as f32, (row % height) as f32);
        for x in (0..width).filter(|x| inside(row * width + x)) {
            voxels.push((row * width + x) as u32);
            ends.push([z, y, x as f32]);
        }
    }
    Points { voxels, ends }
}

impl Field {
    /// A fifth of the flows, times `units`, of the voxels that are `inside` cells.
    fn new(flows: &[f32], size: Size, units: [f32; 3], inside: impl Fn(usize) -> bool + Sync) -> Self {
        let count = voxels(size);
        let mut steps: Vec<[f32; 4]> = zeros(count);
        steps.par_iter_mut().enumerate().filter(|(i, _)| inside(*i)).for_each(|(i, step)| {
            for axis in 0..3 {
                step[axis] = flows[axis * count + i] / 5.0 * units[axis];
            }
        });
        Field { size, lengths: size.map(|length| length as f32), steps }
    }

    fn index(&self, [z, y, x]: [usize; 3]) -> usize {
        (z * self.size[1] + y) * self.size[2] + x
    }

    /// The sum of the steps of the eight voxels around a point, x fastest, times the weights of its lane.
    /// `first` is the first of these voxels; outside of the volume, steps are 0.
    #[inline(always)]
    pub(super) fn weighted(&self, first: [i32; 3], weights: &[Lanes<f32>; 8], lane: usize) -> [f32; 4] {
        // A number below 0 is a large one without its sign.
        if (0..3).any(|axis| first[axis] as u32 as usize >= self.size[axis] - 1) {
            return weighted(&self.corners_at_border(first), weights, lane);
        }
        let i = self.index(first.map(|i| i as u32 as usize));
        let (y, z) = (self.size[2], self.size[1] * self.size[2]);
        // One slice, so that one check of its bounds is enough.
        let steps = &self.steps[i..i + z + y + 2];
        let [front, back] = [&steps[..y + 2], &steps[z..z + y + 2]];
        let corners = [front[0], front[1], front[y], front[y + 1], back[0], back[1], back[y], back[y + 1]];
        weighted(&corners, weights, lane)
    }

    #[cold]
    fn corners_at_border(&self, first: [i32; 3]) -> [[f32; 4]; 8] {
        std::array::from_fn(|corner| {
            let place = [0, 1, 2].map(|axis| first[axis] + (corner >> (2 - axis) & 1) as i32);
            let inside = (0..3).all(|axis| (0..self.size[axis] as i64).contains(&i64::from(place[axis])));
            if inside { self.steps[self.index(place.map(|i| i as usize))] } else { [0.0; 4] }
        })
    }
}

/// The weighted sum of the corners, in the order of PyTorch's.
///
/// The compiler would leave out the fourth numbers, which nobody reads, and compute with a half of a vector
/// and a single number.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn weighted(corners: &[[f32; 4]; 8], weights: &[Lanes<f32>; 8], lane: usize) -> [f32; 4] {
    use std::arch::x86_64::{
        _mm_add_ps, _mm_loadu_ps, _mm_mul_ps, _mm_set1_ps, _mm_setzero_ps, _mm_storeu_ps,
    };
    let mut out = [0.0; 4];
    // SAFETY: every processor of this kind has SSE, and each pointer is to four numbers.
    unsafe {
        let mut sum = _mm_setzero_ps();
        for corner in 0..8 {
            let weight = _mm_set1_ps(weights[corner][lane]);
            sum = _mm_add_ps(sum, _mm_mul_ps(_mm_loadu_ps(corners[corner].as_ptr()), weight));
        }
        _mm_storeu_ps(out.as_mut_ptr(), sum);
    }
    out
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn weighted(corners: &[[f32; 4]; 8], weights: &[Lanes<f32>; 8], lane: usize) -> [f32; 4] {
    let mut sum = [0.0; 4];
    for corner in 0..8 {
        (0..4).for_each(|axis| sum[axis] += corners[corner][axis] * weights[corner][lane]);
    }
    sum
}
