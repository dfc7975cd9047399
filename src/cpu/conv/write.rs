//! The products of a patch become pixels of the destination.
#![expect(
    clippy::needless_range_loop,
    reason = "a closure would not be inlined with the instructions of a vector"
)]

use super::PANEL;
use super::band::Band;
use super::simd::Vector;
use super::transform::Lines;

impl Band<'_> {
    /// Writes the pixels of a patch with everything that the sum adds to them. `from` is `[product, ., out]`, `stride`
    /// floats from product to product; `projected` is `[pixel, out]`.
    ///
    /// # Safety
    /// The processor must have the instructions of `V`, and [`ConvSum::check`](super::ConvSum) must have passed.
    #[inline(always)]
    pub(super) unsafe fn write_patch<V: Vector, L: Lines>(
        &mut self,
        patch: usize,
        from: &[f32],
        stride: usize,
        projected: &[f32],
    ) {
        let channels = self.sum.weights.outputs;
        let (y0, x0) = (patch / self.across * 4, (self.left + patch % self.across) * 4);
        // The last patches may reach beyond the map.
        let (down, right) = ((self.rows() - y0).min(4), (self.width - x0).min(4));
        let side = L::PRODUCTS.len();
        assert!(from.len() >= (side * side - 1) * stride + channels);
        for channel in (0..channels).step_by(V::WIDTH) {
            // SAFETY: the length of `from` was checked, and the pixels written lie in the band.
            unsafe {
                let from = from.as_ptr().add(channel);
                let mut lines = [[V::splat(0.0); 4]; 6];
                for y in 0..side {
                    let mut line = [V::splat(0.0); 6];
                    for x in 0..side {
                        line[x] = V::load(from.add((y * side + x) * stride));
                    }
                    lines[y] = L::gather(line);
                }
                let mut pixels = [[V::splat(0.0); 4]; 4];
                for x in 0..4 {
                    let mut column = [V::splat(0.0); 6];
                    for y in 0..side {
                        column[y] = lines[y][x];
                    }
                    let column = L::gather(column);
                    for y in 0..4 {
                        pixels[y][x] = column[y];
                    }
                }
                match (down, right) {
                    // With constant bounds the compiler keeps the pixels in registers.
                    (4, 4) => self.finish(pixels, channel, (y0, x0), (4, 4), projected),
                    size => self.finish(pixels, channel, (y0, x0), size, projected),
                }
            }
        }
    }

    /// Adds the other terms of the sum to `down` by `right` pixels, and writes these.
    #[inline(always)]
    unsafe fn finish<V: Vector>(
        &mut self,
        mut pixels: [[V; 4]; 4],
        channel: usize,
        (y0, x0): (usize, usize),
        (down, right): (usize, usize),
        projected: &[f32],
    ) {
        let (sum, channels) = (self.sum, self.sum.weights.outputs);
        let at = |y: usize, x: usize| ((y0 + y) * self.width + x0 + x) * channels + channel;
        unsafe {
            let bias = V::load(sum.bias.as_ptr().add(channel));
            for y in 0..down {
                for x in 0..right {
                    pixels[y][x] = pixels[y][x].add(bias);
                }
            }
            if sum.accumulate {
                for y in 0..down {
                    for x in 0..right {
                        pixels[y][x] = pixels[y][x].add(V::load(self.out.as_ptr().add(at(y, x))));
                    }
                }
            }
            if let Some((map, scale)) = sum.skip {
                let scale = V::load(scale.as_ptr().add(channel));
                let map = map.data.as_ptr().add(self.top * self.width * channels);
                for y in 0..down {
                    for x in 0..right {
                        pixels[y][x] = V::load(map.add(at(y, x))).mul_add(scale, pixels[y][x]);
                    }
                }
            }
            if let Some((map, up, _)) = sum.proj {
                let (up, panels) = (u32::from(up), channels.next_multiple_of(PANEL));
                for y in 0..down {
                    for x in 0..right {
                        let pixel = ((y0 + y) >> up) * map.width + ((x0 + x) >> up);
                        let projected = V::load(projected.as_ptr().add(pixel * panels + channel));
                        pixels[y][x] = pixels[y][x].add(projected);
                    }
                }
            }
            if sum.relu {
                for y in 0..down {
                    for x in 0..right {
                        pixels[y][x] = pixels[y][x].max(V::splat(0.0));
                    }
                }
            }
            for y in 0..down {
                for x in 0..right {
                    pixels[y][x].store(self.out.as_mut_ptr().add(at(y, x)));
                }
            }
            if let Some(pooled) = &mut self.pooled {
                for y in 0..down / 2 {
                    for x in 0..right / 2 {
                        let pixel = (y0 / 2 + y) * (self.width / 2) + x0 / 2 + x;
                        let [above, below] = [pixels[2 * y], pixels[2 * y + 1]];
                        let left = above[2 * x].max(below[2 * x]);
                        let right = above[2 * x + 1].max(below[2 * x + 1]);
                        left.max(right).store(pooled.as_mut_ptr().add(pixel * channels + channel));
                    }
                }
            }
        }
    }
}
