//! The product of the weight gradient: a sum of outer products.

use super::PANEL;
use super::simd::Vector;

/// Adds to `c`, `[inputs, PANEL]`, the sum over `count` places of `a`, `[place, inputs]`, times the [`PANEL`] numbers of
/// `b`, `[place, outputs]`, from `column` on. The last panel may be half.
///
/// # Safety
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn add_outer<V: Vector>(
    (a, inputs): (&[f32], usize),
    (b, outputs, column): (&[f32], usize, usize),
    count: usize,
    c: &mut [f32],
) {
    assert!(a.len() >= count * inputs && c.len() >= inputs * PANEL);
    let groups = inputs.div_ceil(V::ROWS);
    for half in (0..PANEL.min(outputs - column)).step_by(2 * V::WIDTH) {
        // The last panel may have half of its outputs, which are one or two vectors.
        let whole = column + half + 2 * V::WIDTH <= outputs;
        assert!(whole || V::WIDTH == 16);
        assert!(count == 0 || b.len() >= count * outputs);
        for group in 0..groups {
            let first = group * inputs / groups;
            let rows = (group + 1) * inputs / groups - first;
            // SAFETY: the lengths were checked above, and no group ends beyond the inputs.
            unsafe {
                let a = a.as_ptr().add(first);
                let b = b.as_ptr().add(column + half);
                let c = c.as_mut_ptr().add(first * PANEL + half);
                match (rows, whole) {
                    (10, true) => rows_of::<V, 10, 2>((a, inputs), (b, outputs), count, c),
                    (9, true) => rows_of::<V, 9, 2>((a, inputs), (b, outputs), count, c),
                    (8, true) => rows_of::<V, 8, 2>((a, inputs), (b, outputs), count, c),
                    (6, true) => rows_of::<V, 6, 2>((a, inputs), (b, outputs), count, c),
                    (5, true) => rows_of::<V, 5, 2>((a, inputs), (b, outputs), count, c),
                    (4, true) => rows_of::<V, 4, 2>((a, inputs), (b, outputs), count, c),
                    _ => {
                        for row in 0..rows {
                            let (a, c) = (a.add(row), c.add(row * PANEL));
                            match whole {
                                true => rows_of::<V, 1, 2>((a, inputs), (b, outputs), count, c),
                                false => rows_of::<V, 1, 1>((a, inputs), (b, outputs), count, c),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `R` inputs and `N` vectors of outputs. All sums stay in registers.
#[inline(always)]
unsafe fn rows_of<V: Vector, const R: usize, const N: usize>(
    (a, inputs): (*const f32, usize),
    (b, outputs): (*const f32, usize),
    count: usize,
    c: *mut f32,
) {
    unsafe {
        let mut sums = [[V::splat(0.0); N]; R];
        for place in 0..count {
            let (a, b) = (a.add(place * inputs), b.add(place * outputs));
            let mut factors = [V::splat(0.0); N];
            for (n, factor) in factors.iter_mut().enumerate() {
                *factor = V::load(b.add(n * V::WIDTH));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = V::splat(*a.add(r));
                for (sum, factor) in sums.iter_mut().zip(&factors) {
                    *sum = value.mul_add(*factor, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                let c = c.add(r * PANEL + n * V::WIDTH);
                V::load(c).add(*sum).store(c);
            }
        }
    }
}
