//! The percentiles between which maps are shown.

use rayon::prelude::*;

use crate::plan::percentiles::rank;

/// Half of the bits of a value.
const HALF: usize = 1 << 16;

/// How many values have each half of the bits.
type Counts = Vec<u64>;

/// How values become brightness: the 1st percentile 0, the 99th 1, and values beyond them the same. As in the original, values
/// that hardly differ are all 0.
#[derive(Clone, Copy)]
pub(super) struct Brightness {
    low: f32,
    gain: f32,
}

impl Brightness {
    /// That of the values of rows, as [`range`] takes them.
    pub fn of<I: Iterator<Item = f32>>(rows: usize, row: impl Fn(usize) -> I + Sync) -> Self {
        let [low, high] = range(rows, row);
        Brightness { low, gain: if high - low > 1e-3 { 1.0 / (high - low) } else { 0.0 } }
    }

    /// From 0 to 1.
    pub fn at(self, value: f32) -> f32 {
        ((value - self.low) * self.gain).clamp(0.0, 1.0)
    }
}

/// The 1st and the 99th percentile of all values, of which `row` gives one of many rows, as `numpy.percentile` computes
/// them; 0 of no values. The values are counted by the upper half of their bits, then those near the percentiles by the
/// lower half, so that they are neither copied nor sorted.
pub(super) fn range<I: Iterator<Item = f32>>(rows: usize, row: impl Fn(usize) -> I + Sync) -> [f32; 2] {
    let upper = counted(rows, 1, |row_number, add| {
        row(row_number).for_each(|value| add(0, ordered(value) as usize / HALF));
    });
    let len = upper[0].iter().sum::<u64>() as usize;
    if len == 0 {
        return [0.0; 2];
    }
    // The values of two ranks for each percentile, by their upper halves and the ranks among those.
    let places = [1.0, 99.0].map(|percent| {
        let (rank, fraction) = rank(len, percent);
        ([rank, (rank + 1).min(len - 1)].map(|rank| place(&upper[0], rank as u64)), fraction)
    });
    let mut halves: Vec<usize> = places.iter().flat_map(|(places, _)| places.map(|(half, _)| half)).collect();
    halves.sort_unstable();
    halves.dedup();
    let mut of_half = vec![None; HALF];
    halves.iter().enumerate().for_each(|(i, &half)| of_half[half] = Some(i));
    let lower = counted(rows, halves.len(), |row_number, add| {
        for bits in row(row_number).map(|value| ordered(value) as usize) {
            if let Some(i) = of_half[bits / HALF] {
                add(i, bits % HALF);
            }
        }
    });
    let value = |(half, rank): (usize, u64)| {
        let i = of_half[half].unwrap_or_default();
        f64::from(from_ordered((half * HALF + place(&lower[i], rank).0) as u32))
    };
    places.map(|(places, fraction)| {
        let [low, high] = places.map(value);
        (low + (high - low) * fraction) as f32
    })
}

/// Counts on all threads what `count` adds for each row, in so many tables.
fn counted(
    rows: usize,
    tables: usize,
    count: impl Fn(usize, &mut dyn FnMut(usize, usize)) + Sync,
) -> Vec<Counts> {
    let empty = || vec![vec![0_u64; HALF]; tables];
    let threads = rayon::current_num_threads();
    (0..rows)
        .into_par_iter()
        .with_min_len(rows.div_ceil(4 * threads).max(1))
        .fold(empty, |mut counts, row| {
            count(row, &mut |table, half| counts[table][half] += 1);
            counts
        })
        .reduce(empty, |mut a, b| {
            a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(a, b)| *a += b);
            a
        })
}

/// The entry that the value of this rank is counted in, and its rank there.
fn place(counts: &[u64], mut rank: u64) -> (usize, u64) {
    for (half, &count) in counts.iter().enumerate() {
        if rank < count {
            return (half, rank);
        }
        rank -= count;
    }
    (0, 0)
}

/// Bits that are in the order of [`f32::total_cmp`].
fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn from_ordered(bits: u32) -> f32 {
    f32::from_bits(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cpu::normalize::percentile;

    fn check(values: &[f32], length: usize) {
        let rows: Vec<&[f32]> = values.chunks(length).collect();
        let found = range(rows.len(), |row| rows[row].iter().copied());
        let sorted = [1.0, 99.0].map(|percent| percentile(&mut values.to_vec(), percent));
        assert_eq!(found.map(f32::to_bits), sorted.map(f32::to_bits));
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_sorted_values(
            values in prop::collection::vec(-1e9_f32..1e9, 1..600),
            bits in prop::collection::vec(0_u32..70, 1..600),
            length in 1..40_usize,
        ) {
            check(&values, length);
            check(&bits.iter().map(|&bits| f32::from_bits(0x3f7f_ffe0 + bits)).collect::<Vec<_>>(), length);
        }
    }

    #[test]
    fn few_values_have_percentiles() {
        check(&[7.0], 1);
        check(&[-0.0, 0.0, -1.0, f32::MAX, f32::MIN], 2);
        assert_eq!(range(0, |_| [].into_iter()), [0.0; 2]);
        assert_eq!(range(3, |_| [].into_iter()), [0.0; 2]);
    }
}
