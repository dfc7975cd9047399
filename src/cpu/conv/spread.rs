//! Patches of a batch become the factors of the weight gradient.
#![expect(
    clippy::needless_range_loop,
    reason = "a closure would not be inlined with the instructions of a vector"
)]

use std::ops::Range;

use super::gradient::Batch;
use super::isa::Job;
use super::simd::Vector;
use super::transform::{Lines, Plain};

/// Values of a transformed patch.
pub(super) const VALUES: usize = 36;

/// What is transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// 6×6 pixels of the input: `Bᵀ d B`.
    Input,
    /// 4×4 pixels of the gradient: `A dy Aᵀ`.
    Gradient,
}

/// Transforms patches, which are counted from the first image on, row by row.
pub(super) struct Spread<'a> {
    pub batch: Batch<'a>,
    pub source: Source,
    pub patches: Range<usize>,
    /// `[value, patch, channel]` for `piece` patches.
    pub piece: usize,
    pub to: &'a mut [f32],
}

impl Job for Spread<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Batch { data, height, width, channels } = self.batch;
        let (down, across) = (height.div_ceil(4), width.div_ceil(4));
        let (side, margin) = if self.source == Source::Input { (6, 1) } else { (4, 0) };
        assert!(self.patches.len() <= self.piece && self.to.len() >= VALUES * self.piece * channels);
        for (i, patch) in self.patches.enumerate() {
            let (image, row, column) = (patch / across / down, patch / across % down, patch % across);
            for channel in (0..channels).step_by(V::WIDTH) {
                let mut columns = [[unsafe { V::splat(0.0) }; 6]; 6];
                for x in 0..side {
                    let at_x = (4 * column + x).wrapping_sub(margin);
                    if at_x >= width {
                        continue;
                    }
                    let mut pixels = [unsafe { V::splat(0.0) }; 6];
                    for y in 0..side {
                        let at_y = (4 * row + y).wrapping_sub(margin);
                        if at_y < height {
                            let at = ((image * height + at_y) * width + at_x) * channels + channel;
                            // The check of the bounds is beside the transform of no weight.
                            pixels[y] = unsafe { V::load(data[at..at + V::WIDTH].as_ptr()) };
                        }
                    }
                    columns[x] = unsafe { transform(self.source, pixels) };
                }
                for y in 0..6 {
                    let mut line = [unsafe { V::splat(0.0) }; 6];
                    for x in 0..6 {
                        line[x] = columns[x][y];
                    }
                    let line = unsafe { transform(self.source, line) };
                    for x in 0..6 {
                        let at = ((y * 6 + x) * self.piece + i) * channels + channel;
                        unsafe { line[x].store(self.to[at..at + V::WIDTH].as_mut_ptr()) };
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn transform<V: Vector>(source: Source, line: [V; 6]) -> [V; 6] {
    unsafe {
        match source {
            Source::Input => Plain::spread(line),
            Source::Gradient => rise(line),
        }
    }
}

/// `A m` of the first four: the transpose of [`Lines::gather`].
#[inline(always)]
unsafe fn rise<V: Vector>([a, b, c, d, ..]: [V; 6]) -> [V; 6] {
    unsafe {
        let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
        let (even, odd) = (a.add(c), b.add(d));
        let (far_even, far_odd) = (c.mul_add(four, a), d.mul_add(eight, b.mul(two)));
        [a, even.add(odd), even.sub(odd), far_even.add(far_odd), far_even.sub(far_odd), d]
    }
}
