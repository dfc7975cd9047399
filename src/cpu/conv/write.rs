//! From the products of a patch to pixels of the destination.
#![expect(
    clippy::needless_range_loop,
    reason = "a closure would not be inlined with the instructions of a vector"
)]

use super::block::Block;
use super::simd::Vector;
use super::transform::gather;
use super::{PANEL, PLACES};

impl Block<'_> {
    /// `Aᵀ m A` of a patch, and all that is added to it. `from` is `[place, ., out]` with `stride` floats from
    /// place to place, `projected` is `[pixel, out]`.
    ///
    /// # Safety
    /// As for the block.
    #[inline(always)]
    pub(super) unsafe fn write_patch<V: Vector>(
        &mut self,
        patch: usize,
        from: &[f32],
        stride: usize,
        projected: &[f32],
    ) {
        let channels = self.sum.weights.outputs;
        let (y0, x0) = (patch / self.across * 4, patch % self.across * 4);
        // The last patches may reach over the map.
        let (down, right) = ((self.rows() - y0).min(4), (self.width - x0).min(4));
        assert!(from.len() >= (PLACES - 1) * stride + channels);
        for channel in (0..channels).step_by(V::LANES) {
            // SAFETY: `from` was checked; the pixels written lie in the block.
            unsafe {
                let from = from.as_ptr().add(channel);
                let mut lines = [[V::splat(0.0); 4]; 6];
                for y in 0..6 {
                    let mut line = [V::splat(0.0); 6];
                    for x in 0..6 {
                        line[x] = V::load(from.add((y * 6 + x) * stride));
                    }
                    lines[y] = gather(line);
                }
                let mut pixels = [[V::splat(0.0); 4]; 4];
                for x in 0..4 {
                    let mut column = [V::splat(0.0); 6];
                    for y in 0..6 {
                        column[y] = lines[y][x];
                    }
                    let column = gather(column);
                    for y in 0..4 {
                        pixels[y][x] = column[y];
                    }
                }
                for y in 0..down {
                    for x in 0..right {
                        pixels[y][x] = self.finish(pixels[y][x], channel, y0 + y, x0 + x, projected);
                        let pixel = (y0 + y) * self.width + x0 + x;
                        pixels[y][x].store(self.out.as_mut_ptr().add(pixel * channels + channel));
                    }
                    if y % 2 == 1 {
                        self.pool((pixels[y - 1], pixels[y]), channel, (y0 + y) / 2, x0 / 2, right / 2);
                    }
                }
            }
        }
    }

    /// Adds what belongs to the sum at a pixel of the block.
    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, value: V, channel: usize, y: usize, x: usize, projected: &[f32]) -> V {
        let (sum, channels, pixel) = (self.sum, self.sum.weights.outputs, y * self.width + x);
        unsafe {
            let mut value = value.add(V::load(sum.bias.as_ptr().add(channel)));
            if sum.accumulate {
                value = value.add(V::load(self.out.as_ptr().add(pixel * channels + channel)));
            }
            if let Some((map, scale)) = sum.skip {
                let skip =
                    V::load(map.data.as_ptr().add((self.top * self.width + pixel) * channels + channel));
                value = skip.mul_add(V::load(scale.as_ptr().add(channel)), value);
            }
            if let Some((map, up, _)) = sum.proj {
                let pixel = (y >> u32::from(up)) * map.width + (x >> u32::from(up));
                let panels = channels.next_multiple_of(PANEL);
                value = value.add(V::load(projected.as_ptr().add(pixel * panels + channel)));
            }
            if sum.relu { value.max(V::splat(0.0)) } else { value }
        }
    }

    /// Writes the maxima of two rows of pixels, `count` of them.
    #[inline(always)]
    unsafe fn pool<V: Vector>(
        &mut self,
        (above, below): ([V; 4], [V; 4]),
        channel: usize,
        y: usize,
        x: usize,
        count: usize,
    ) {
        let channels = self.sum.weights.outputs;
        let Some(pooled) = &mut self.pooled else { return };
        for i in 0..count {
            let pixel = y * (self.width / 2) + x + i;
            unsafe {
                let left = above[2 * i].max(below[2 * i]);
                let right = above[2 * i + 1].max(below[2 * i + 1]);
                left.max(right).store(pooled.as_mut_ptr().add(pixel * channels + channel));
            }
        }
    }
}
