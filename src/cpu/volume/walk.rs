//! Walks between voxels, of many points side by side.
#![expect(
    clippy::needless_range_loop,
    reason = "indexed loops of fixed length are vectorised; iterators and closures are not always inlined"
)]

use super::follow::Field;
use crate::watch::GoOn;

/// Points that walk side by side. With AVX2 they fill two vectors, so that one is computed while the other
/// waits.
pub(super) const LANES: usize = 16;

/// A number for each of these points.
pub(super) type Lanes<T> = [T; LANES];

/// Takes `niter` steps with each point, in the coordinates of `grid_sample`, in which the volume spans
/// -1 to 1.
pub(super) fn walk_grid(field: &Field, points: &mut [[f32; 3]], niter: u32, go_on: GoOn) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { walk_avx2(field, points, niter, go_on) };
    }
    walk(field, points, niter, go_on);
}

/// The same operations in the same order, in wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn walk_avx2(field: &Field, points: &mut [[f32; 3]], niter: u32, go_on: GoOn) {
    walk(field, points, niter, go_on);
}

#[inline(always)]
fn walk(field: &Field, points: &mut [[f32; 3]], niter: u32, go_on: GoOn) {
    if niter == 0 {
        return;
    }
    let mut walkers = Walkers { index: [points.len(); LANES], ..Walkers::default() };
    let (mut started, mut walking) = (0, 0);
    loop {
        for lane in 0..LANES {
            if walkers.left[lane] > 0 {
                continue;
            }
            if let Some(point) = points.get_mut(walkers.index[lane]) {
                *point = [walkers.at[0][lane], walkers.at[1][lane], walkers.at[2][lane]];
                walking -= 1;
            }
            if started < points.len() && go_on() {
                walkers.start(lane, started, points[started], niter);
                started += 1;
                walking += 1;
            } else {
                walkers.rest(lane, points.len());
            }
        }
        if walking == 0 {
            return;
        }
        while !walkers.left.contains(&0) {
            walkers.go(field.steps_of(&walkers.at));
        }
    }
}

/// Points on their walks. A step depends on the position alone, so a walk that returns to a position repeats
/// the same cycle for ever (a point that stands still has a cycle of length 1), and whole rounds are skipped.
/// Cycles are found as in images: positions are compared with a mark, which is set after 1, 2, 4, 8… steps.
#[derive(Default)]
struct Walkers {
    at: [Lanes<f32>; 3],
    mark: [Lanes<f32>; 3],
    /// Steps since the mark was set.
    steps: Lanes<u32>,
    /// The number of steps after which the next mark is set.
    next_mark: Lanes<u32>,
    /// Steps that remain.
    left: Lanes<u32>,
    /// The number of the point that walks in a lane.
    index: Lanes<usize>,
}

impl Walkers {
    #[inline(always)]
    fn start(&mut self, lane: usize, index: usize, point: [f32; 3], niter: u32) {
        for axis in 0..3 {
            self.at[axis][lane] = point[axis];
            self.mark[axis][lane] = point[axis];
        }
        (self.steps[lane], self.next_mark[lane]) = (0, 1);
        (self.left[lane], self.index[lane]) = (niter, index);
    }

    /// A lane without a point: `none` is no point's number.
    #[inline(always)]
    fn rest(&mut self, lane: usize, none: usize) {
        (self.left[lane], self.index[lane]) = (u32::MAX, none);
    }

    #[inline(always)]
    fn go(&mut self, steps: [Lanes<f32>; 3]) {
        let (mut stays, mut returns) = ([true; LANES], [true; LANES]);
        for axis in 0..3 {
            for lane in 0..LANES {
                let next = (self.at[axis][lane] + steps[axis][lane]).clamp(-1.0, 1.0);
                stays[lane] &= next == self.at[axis][lane];
                returns[lane] &= next == self.mark[axis][lane];
                self.at[axis][lane] = next;
            }
        }
        let mut any = false;
        for lane in 0..LANES {
            self.steps[lane] += 1;
            self.left[lane] = if stays[lane] { 0 } else { self.left[lane] - 1 };
            any |= returns[lane];
        }
        if any {
            for lane in 0..LANES {
                if returns[lane] {
                    self.left[lane] %= self.steps[lane];
                }
            }
        }
        for lane in 0..LANES {
            let marks = self.steps[lane] == self.next_mark[lane];
            for axis in 0..3 {
                self.mark[axis][lane] = if marks { self.at[axis][lane] } else { self.mark[axis][lane] };
            }
            self.steps[lane] = if marks { 0 } else { self.steps[lane] };
            self.next_mark[lane] <<= u32::from(marks);
        }
    }
}

impl Field {
    /// The steps at these points. -1 and 1 are the outer borders of the volume, although points take them for
    /// the centres of the outermost voxels (see the images' `grid_sample`).
    #[inline(always)]
    fn steps_of(&self, at: &[Lanes<f32>; 3]) -> [Lanes<f32>; 3] {
        let mut first = [[0; LANES]; 3];
        // How far the voxels around a point are away on both sides.
        let mut sides = [[[0.0; LANES]; 2]; 3];
        for axis in 0..3 {
            for lane in 0..LANES {
                let place = ((at[axis][lane] + 1.0) * self.lengths[axis] - 1.0) / 2.0;
                first[axis][lane] = floor(place);
                let begin = first[axis][lane] as f32;
                sides[axis][0][lane] = begin + 1.0 - place;
                sides[axis][1][lane] = place - begin;
            }
        }
        let mut weights = [[0.0; LANES]; 8];
        for corner in 0..8 {
            let [z, y, x] = [corner >> 2, corner >> 1 & 1, corner & 1];
            for lane in 0..LANES {
                // The order of the products is that of PyTorch.
                weights[corner][lane] = sides[2][x][lane] * sides[1][y][lane] * sides[0][z][lane];
            }
        }
        let mut steps = [[0.0; LANES]; 3];
        for lane in 0..LANES {
            let first = [first[0][lane], first[1][lane], first[2][lane]];
            let sum = self.weighted(first, &weights, lane);
            for axis in 0..3 {
                steps[axis][lane] = sum[axis];
            }
        }
        steps
    }
}

/// The largest integer that is not above `v`, which is -1 or more: `f32::floor` is a call on processors from
/// before SSE 4.1, and a cast that checks its range takes each number alone.
#[inline(always)]
fn floor(v: f32) -> i32 {
    #[allow(clippy::manual_clamp, reason = "`clamp` keeps NaN")]
    let bounded = v.max(-1.0).min(2e9);
    // SAFETY: a number between these bounds fits into an `i32`; of NaN, they make -1.
    let near_zero = unsafe { bounded.to_int_unchecked::<i32>() };
    near_zero - i32::from(v < near_zero as f32)
}
