//! Winograd's transforms along one line.

use super::PANEL;
use super::simd::Vector;

/// The transforms of one line of four pixels: pixels of the source become values, the values are multiplied by
/// transformed taps, and sums of the products are the four pixels. A patch is transformed along both axes. All arrays
/// have six elements, as the longest line needs; shorter lines do not use the last ones.
pub(super) trait Lines {
    /// Pixels of the source that a patch reads. The first lies one before the pixels that the patch computes.
    const PIXELS: usize;
    /// Pixels of the source from one patch to the next.
    const STEP: usize;
    /// Values that the pixels become.
    const VALUES: usize;
    /// For each product, the index of its value.
    const PRODUCTS: &'static [usize];

    /// Transforms pixels to values.
    ///
    /// # Safety
    /// The processor must have the instructions of `V`.
    unsafe fn spread<V: Vector>(pixels: [V; 6]) -> [V; 6];

    /// Transforms products to four pixels.
    ///
    /// # Safety
    /// The processor must have the instructions of `V`.
    unsafe fn gather<V: Vector>(products: [V; 6]) -> [V; 4];

    /// Three taps to a factor for each product.
    fn expand(taps: [&[f32; PANEL]; 3]) -> [[f32; PANEL]; 6];
}

/// Winograd's F(4, 3): `Bᵀ`, `Aᵀ` and `G` of Lavin & Gray (arXiv 1509.09308).
pub(super) struct Plain;

impl Lines for Plain {
    const PIXELS: usize = 6;
    const STEP: usize = 4;
    const VALUES: usize = 6;
    const PRODUCTS: &'static [usize] = &[0, 1, 2, 3, 4, 5];

    #[inline(always)]
    unsafe fn spread<V: Vector>(d: [V; 6]) -> [V; 6] {
        unsafe {
            let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(-5.0));
            let minus_four = V::splat(-4.0);
            let a = d[2].mul_add(minus_four, d[4]);
            let b = d[1].mul_add(minus_four, d[3]);
            let c = d[4].sub(d[2]);
            let e = d[3].sub(d[1]);
            [
                d[0].mul_add(four, d[2].mul_add(five, d[4])),
                a.add(b),
                a.sub(b),
                e.mul_add(two, c),
                e.mul_add(V::splat(-2.0), c),
                d[1].mul_add(four, d[3].mul_add(five, d[5])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn gather<V: Vector>(m: [V; 6]) -> [V; 4] {
        unsafe {
            let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
            let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
            let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
            [m[0].add(a).add(c), d.mul_add(two, b), c.mul_add(four, a), d.mul_add(eight, b).add(m[5])]
        }
    }

    fn expand([a, b, c]: [&[f32; PANEL]; 3]) -> [[f32; PANEL]; 6] {
        let mut out = [[0.0; PANEL]; 6];
        for o in 0..PANEL {
            let (a, b, c) = (a[o], b[o], c[o]);
            // Multiplied by reciprocals: divisions take ten times as long, and there are six million weights.
            let (even, odd) = (a * (1.0 / 24.0) + c * (1.0 / 6.0), b * (1.0 / 12.0));
            out[0][o] = a / 4.0;
            out[1][o] = (a + b + c) * (-1.0 / 6.0);
            out[2][o] = (a - b + c) * (-1.0 / 6.0);
            out[3][o] = even + odd;
            out[4][o] = even - odd;
            out[5][o] = c;
        }
        out
    }
}

/// Four pixels of a line in which every pixel is repeated: from `a b b c c d` and the taps `u v w`, they are
/// `ua + vb + wb`, `ub + vb + wc`, `ub + vc + wc` and `uc + vc + wd`, which need only five products.
pub(super) struct Doubled;

impl Lines for Doubled {
    const PIXELS: usize = 4;
    const STEP: usize = 2;
    const VALUES: usize = 4;
    const PRODUCTS: &'static [usize] = &[0, 1, 2, 2, 3];

    #[inline(always)]
    unsafe fn spread<V: Vector>([a, b, c, d, rest, _]: [V; 6]) -> [V; 6] {
        unsafe { [a.sub(c), b.add(c), c.sub(b), d.sub(b), rest, rest] }
    }

    #[inline(always)]
    unsafe fn gather<V: Vector>(m: [V; 6]) -> [V; 4] {
        unsafe { [m[1].sub(m[2]).add(m[0]), m[1].sub(m[3]), m[1].add(m[2]), m[1].add(m[3]).add(m[4])] }
    }

    fn expand([u, v, w]: [&[f32; PANEL]; 3]) -> [[f32; PANEL]; 6] {
        let mut out = [[0.0; PANEL]; 6];
        for o in 0..PANEL {
            let (u, v, w) = (u[o], v[o], w[o]);
            out[0][o] = u;
            out[1][o] = (u + v + w) / 2.0;
            out[2][o] = (v + w - u) / 2.0;
            out[3][o] = (u + v - w) / 2.0;
            out[4][o] = w;
        }
        out
    }
}
