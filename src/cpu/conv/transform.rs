//! Winograd's transforms along one line.

use super::simd::Vector;

/// A line of `Bᵀ`.
#[inline(always)]
pub(super) unsafe fn spread<V: Vector>(d: [V; 6]) -> [V; 6] {
    unsafe {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(-5.0));
        let minus_four = V::splat(-4.0);
        let a = d[2].mul_add(minus_four, d[4]);
        let b = d[1].mul_add(minus_four, d[3]);
        let c = d[4].sub(d[2]);
        let e = d[3].sub(d[1]).mul(two);
        [
            d[0].mul_add(four, d[2].mul_add(five, d[4])),
            a.add(b),
            a.sub(b),
            c.add(e),
            c.sub(e),
            d[1].mul_add(four, d[3].mul_add(five, d[5])),
        ]
    }
}

/// A line of `Aᵀ`.
#[inline(always)]
pub(super) unsafe fn gather<V: Vector>(m: [V; 6]) -> [V; 4] {
    unsafe {
        let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
        let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(a).add(c), d.mul_add(two, b), c.mul_add(four, a), d.mul_add(eight, b).add(m[5])]
    }
}
