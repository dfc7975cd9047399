//! The matrix product of transformed patches and weights.

use super::PANEL;
use super::simd::Vector;

/// `c = a · panels`, or `c += a · panels` if `ADD`. `a` is `[rows, stride]`, of which rows may overlap, and the first `depth`
/// numbers of each row are used; `panels` is `[panel, depth, PANEL]`; `c` is `[rows, outputs]`.
///
/// # Safety
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn multiply<V: Vector, const ADD: bool>(
    (a, stride): (&[f32], usize),
    depth: usize,
    panels: &[f32],
    c: &mut [f32],
    outputs: usize,
    rows: usize,
) {
    assert!(rows == 0 || a.len() >= (rows - 1) * stride + depth);
    assert!(c.len() >= rows * outputs);
    assert_eq!(panels.len(), depth * outputs);
    let groups = rows.div_ceil(V::ROWS);
    for (i, panel) in panels.chunks_exact(depth * PANEL).enumerate() {
        for half in (0..PANEL).step_by(2 * V::WIDTH) {
            for group in 0..groups {
                // The groups are of nearly equal length: a short one would use the registers badly.
                let first = group * rows / groups;
                let count = (group + 1) * rows / groups - first;
                // SAFETY: the lengths were checked above, and no group ends beyond `rows`.
                unsafe {
                    let a = a.as_ptr().add(first * stride);
                    let b = panel.as_ptr().add(half);
                    let c = c.as_mut_ptr().add(first * outputs + i * PANEL + half);
                    match count {
                        10 if V::ROWS >= 10 => rows_of::<V, 10, ADD>((a, stride), depth, b, c, outputs),
                        9 if V::ROWS >= 9 => rows_of::<V, 9, ADD>((a, stride), depth, b, c, outputs),
                        8 if V::ROWS >= 8 => rows_of::<V, 8, ADD>((a, stride), depth, b, c, outputs),
                        7 if V::ROWS >= 7 => rows_of::<V, 7, ADD>((a, stride), depth, b, c, outputs),
                        6 if V::ROWS >= 6 => rows_of::<V, 6, ADD>((a, stride), depth, b, c, outputs),
                        5 if V::ROWS >= 5 => rows_of::<V, 5, ADD>((a, stride), depth, b, c, outputs),
                        4 => rows_of::<V, 4, ADD>((a, stride), depth, b, c, outputs),
                        3 => rows_of::<V, 3, ADD>((a, stride), depth, b, c, outputs),
                        2 => rows_of::<V, 2, ADD>((a, stride), depth, b, c, outputs),
                        _ => rows_of::<V, 1, ADD>((a, stride), depth, b, c, outputs),
                    }
                }
            }
        }
    }
}

/// `R` rows of a product, two vectors wide. All sums stay in registers.
#[inline(always)]
unsafe fn rows_of<V: Vector, const R: usize, const ADD: bool>(
    (a, stride): (*const f32, usize),
    depth: usize,
    b: *const f32,
    c: *mut f32,
    outputs: usize,
) {
    unsafe {
        let mut sums = [[V::splat(0.0); 2]; R];
        for k in 0..depth {
            let b = b.add(k * PANEL);
            let weights = [V::load(b), V::load(b.add(V::WIDTH))];
            for (r, sums) in sums.iter_mut().enumerate() {
                let pixel = V::splat(*a.add(r * stride + k));
                sums[0] = pixel.mul_add(weights[0], sums[0]);
                sums[1] = pixel.mul_add(weights[1], sums[1]);
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                let c = c.add(r * outputs + n * V::WIDTH);
                if ADD { V::load(c).add(*sum).store(c) } else { sum.store(c) }
            }
        }
    }
}
