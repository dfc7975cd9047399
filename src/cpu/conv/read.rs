//! From pixels of the source to a transformed patch.
#![expect(
    clippy::needless_range_loop,
    reason = "a closure would not be inlined with the instructions of a vector"
)]

use super::PLACES;
use super::block::Block;
use super::simd::Vector;
use super::transform::spread;

/// Offset of a pixel that lies outside the map.
const OUTSIDE: usize = usize::MAX;

impl Block<'_> {
    /// `Bᵀ d B` of a patch, to `[place, ., in]` with `stride` floats from place to place.
    ///
    /// # Safety
    /// As for the block.
    #[inline(always)]
    pub(super) unsafe fn read_patch<V: Vector>(&self, patch: usize, to: &mut [f32], stride: usize) {
        let offsets = self.offsets(patch);
        let whole = offsets.as_flattened().iter().all(|&offset| offset != OUTSIDE);
        assert!(to.len() >= (PLACES - 1) * stride + self.sum.src.channels);
        unsafe {
            match (whole, self.sum.act.is_some()) {
                (true, true) => self.transform::<V, true, true>(&offsets, to, stride),
                (true, false) => self.transform::<V, true, false>(&offsets, to, stride),
                (false, true) => self.transform::<V, false, true>(&offsets, to, stride),
                (false, false) => self.transform::<V, false, false>(&offsets, to, stride),
            }
        }
    }

    /// `WHOLE`: all pixels lie in the map. `ACT`: they are activated.
    #[inline(always)]
    unsafe fn transform<V: Vector, const WHOLE: bool, const ACT: bool>(
        &self,
        offsets: &[[usize; 6]; 6],
        to: &mut [f32],
        stride: usize,
    ) {
        let src = self.sum.src;
        let (scale, shift) = self.sum.act.unwrap_or((&[], &[]));
        for channel in (0..src.channels).step_by(V::LANES) {
            // SAFETY: offsets are of pixels of the map, and a pixel has `channels` floats, a multiple of LANES.
            unsafe {
                let zero = V::splat(0.0);
                let (mut scales, mut shifts) = (zero, zero);
                if ACT {
                    scales = V::load(scale.as_ptr().add(channel));
                    shifts = V::load(shift.as_ptr().add(channel));
                }
                let mut lines = [[zero; 6]; 6];
                for y in 0..6 {
                    for x in 0..6 {
                        if WHOLE || offsets[y][x] != OUTSIDE {
                            let value = V::load(src.data.as_ptr().add(offsets[y][x] + channel));
                            lines[y][x] = if ACT { value.mul_add(scales, shifts).max(zero) } else { value };
                        }
                    }
                    lines[y] = spread(lines[y]);
                }
                for x in 0..6 {
                    let mut column = [zero; 6];
                    for y in 0..6 {
                        column[y] = lines[y][x];
                    }
                    column = spread(column);
                    for y in 0..6 {
                        column[y].store(to.as_mut_ptr().add((y * 6 + x) * stride + channel));
                    }
                }
            }
        }
    }

    /// Where the 6×6 pixels of a patch lie in the source.
    #[inline(always)]
    fn offsets(&self, patch: usize) -> [[usize; 6]; 6] {
        let (src, up) = (self.sum.src, u32::from(self.sum.up));
        let (height, width) = (src.height << up, src.width << up);
        // One above and one to the left of the patch's pixels; outside, it wraps around to a large number.
        let (y, x) = (self.top + patch / self.across * 4, patch % self.across * 4);
        let mut offsets = [[OUTSIDE; 6]; 6];
        for (j, line) in offsets.iter_mut().enumerate() {
            let y = (y + j).wrapping_sub(1);
            for (i, offset) in line.iter_mut().enumerate() {
                let x = (x + i).wrapping_sub(1);
                if y < height && x < width {
                    *offset = ((y >> up) * src.width + (x >> up)) * src.channels;
                }
            }
        }
        offsets
    }
}
