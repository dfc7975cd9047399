//! Pixels of the source become transformed patches.
#![expect(
    clippy::needless_range_loop,
    reason = "a closure would not be inlined with the instructions of a vector"
)]

use std::ops::Range;

use super::band::Band;
use super::simd::Vector;
use super::transform::Lines;

/// Stands for the offset of a row that lies above or below the map.
const OUTSIDE: usize = usize::MAX;

impl Band<'_> {
    /// Writes `count` patches from `first` on to `to`, `[value, patch, in]`, `stride` floats from value to value.
    ///
    /// # Safety
    /// The processor must have the instructions of `V`, and [`ConvSum::check`](super::ConvSum) must have passed.
    #[inline(always)]
    pub(super) unsafe fn read<V: Vector, L: Lines>(
        &self,
        (first, count): (usize, usize),
        to: &mut [f32],
        stride: usize,
    ) {
        let channels = self.sum.src.channels;
        assert!(to.len() >= (L::VALUES * L::VALUES - 1) * stride + count * channels);
        let mut patch = first;
        while patch < first + count {
            let row = patch / self.across;
            let last = (first + count).min((row + 1) * self.across);
            let lines = self.lines::<L>(row);
            let whole = lines[..L::PIXELS].iter().all(|&line| line != OUTSIDE);
            let column = |patch: usize| self.left + patch - row * self.across;
            let columns = column(patch)..column(last);
            let to = &mut to[(patch - first) * channels..];
            unsafe {
                match (whole, self.sum.act.is_some()) {
                    (true, true) => self.read_row::<V, L, true, true>(&lines, columns, to, stride),
                    (true, false) => self.read_row::<V, L, true, false>(&lines, columns, to, stride),
                    (false, true) => self.read_row::<V, L, false, true>(&lines, columns, to, stride),
                    (false, false) => self.read_row::<V, L, false, false>(&lines, columns, to, stride),
                }
            }
            patch = last;
        }
    }

    /// Patches of one row. `WHOLE`: all `lines` lie in the map. `ACT`: the pixels get their affine map and ReLU.
    #[inline(always)]
    unsafe fn read_row<V: Vector, L: Lines, const WHOLE: bool, const ACT: bool>(
        &self,
        lines: &[usize; 6],
        patches: Range<usize>,
        to: &mut [f32],
        stride: usize,
    ) {
        let channels = self.sum.src.channels;
        let kept = L::PIXELS - L::STEP;
        for channel in (0..channels).step_by(V::WIDTH) {
            // SAFETY: the caller checked the length of `to`.
            unsafe {
                let mut to = to.as_mut_ptr().add(channel);
                // The transformed columns of a patch. The columns that the next patch shares are kept.
                let mut columns = [[V::splat(0.0); 6]; 6];
                let mut x = (patches.start * L::STEP).wrapping_sub(1);
                for i in 0..kept {
                    columns[L::STEP + i] = self.column::<V, L, WHOLE, ACT>(lines, x, channel);
                    x = x.wrapping_add(1);
                }
                for _ in patches.clone() {
                    for i in 0..kept {
                        columns[i] = columns[L::STEP + i];
                    }
                    for i in kept..L::PIXELS {
                        columns[i] = self.column::<V, L, WHOLE, ACT>(lines, x, channel);
                        x += 1;
                    }
                    for y in 0..L::VALUES {
                        let mut line = [V::splat(0.0); 6];
                        for i in 0..L::PIXELS {
                            line[i] = columns[i][y];
                        }
                        let line = L::spread(line);
                        for i in 0..L::VALUES {
                            line[i].store(to.add((y * L::VALUES + i) * stride));
                        }
                    }
                    to = to.add(channels);
                }
            }
        }
    }

    /// A transformed column of pixels.
    #[inline(always)]
    unsafe fn column<V: Vector, L: Lines, const WHOLE: bool, const ACT: bool>(
        &self,
        lines: &[usize; 6],
        x: usize,
        channel: usize,
    ) -> [V; 6] {
        let src = self.sum.src;
        let (scale, shift) = self.sum.act.unwrap_or((&[], &[]));
        // SAFETY: the lines begin in the map and have `width` pixels of `channels` floats, a multiple of `V::WIDTH`.
        unsafe {
            let zero = V::splat(0.0);
            let mut column = [zero; 6];
            if x < src.width {
                let (mut scales, mut shifts) = (zero, zero);
                if ACT {
                    scales = V::load(scale.as_ptr().add(channel));
                    shifts = V::load(shift.as_ptr().add(channel));
                }
                for y in 0..L::PIXELS {
                    if WHOLE || lines[y] != OUTSIDE {
                        let value = V::load(src.data.as_ptr().add(lines[y] + x * src.channels + channel));
                        column[y] = if ACT { value.mul_add(scales, shifts).max(zero) } else { value };
                    }
                }
                column = L::spread(column);
            }
            column
        }
    }

    /// Where the lines of the source begin that a row of patches reads.
    #[inline(always)]
    fn lines<L: Lines>(&self, row: usize) -> [usize; 6] {
        let src = self.sum.src;
        let mut lines = [OUTSIDE; 6];
        for (i, line) in lines.iter_mut().enumerate().take(L::PIXELS) {
            let y = ((self.top / 4 + row) * L::STEP + i).wrapping_sub(1);
            if y < src.height {
                *line = y * src.width * src.channels;
            }
        }
        lines
    }
}
