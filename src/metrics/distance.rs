//! Exact distances to a set of pixels.

use rayon::prelude::*;

/// Farther than any two pixels of an image, but small enough that the sum of two squares does not overflow.
const FAR: u64 = 1 << 30;

/// The squared distance of every pixel to the nearest pixel that is `set`; at least [`FAR`]² when none is. The algorithm is
/// by Meijster, Roerdink and Hesselink, "A general algorithm for computing distance transforms in linear time", 2000.
pub(super) fn distances(set: &[bool], width: usize) -> Vec<u64> {
    let mut distances = columns(set, width);
    distances.par_chunks_exact_mut(width.max(1)).for_each(row);
    distances
}

/// The distance of each pixel to the nearest set pixel in its column.
fn columns(set: &[bool], width: usize) -> Vec<u64> {
    let mut distances: Vec<u64> = set.iter().map(|&set| if set { 0 } else { FAR }).collect();
    for i in width..distances.len() {
        distances[i] = distances[i].min(distances[i - width] + 1);
    }
    for i in (width..distances.len()).rev() {
        distances[i - width] = distances[i - width].min(distances[i] + 1);
    }
    distances
}

/// Turns the distances within columns, `g`, into squared distances within the plane, for one row: they are the lower
/// envelope of the parabolas `(x - i)² + g[i]²`.
fn row(distances: &mut [u64]) {
    let squares: Vec<i64> = distances.iter().map(|&g| g.min(FAR).pow(2) as i64).collect();
    let at = |i: usize, x: usize| (x.abs_diff(i) as i64).pow(2) + squares[i];
    // The parabolas of the envelope, each with the first x at which it is the lowest.
    let mut envelope: Vec<(usize, usize)> = Vec::new();
    for i in 0..squares.len() {
        while envelope.last().is_some_and(|&(last, from)| at(last, from) > at(i, from)) {
            envelope.pop();
        }
        let from = match envelope.last() {
            None => 0,
            // One after the last x at which the previous parabola is not above this one.
            Some(&(last, _)) => {
                let (a, b) = (last as i64, i as i64);
                let crossing = (b * b - a * a + squares[i] - squares[last]).div_euclid(2 * (b - a));
                usize::try_from(crossing + 1).unwrap_or(0)
            }
        };
        if from < squares.len() {
            envelope.push((i, from));
        }
    }
    for (x, distance) in distances.iter_mut().enumerate().rev() {
        while envelope.last().is_some_and(|&(_, from)| from > x) {
            envelope.pop();
        }
        *distance = envelope.last().map_or(u64::MAX, |&(i, _)| at(i, x) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn distances_are_those_of_a_search_over_all_pixels(
            width in 1..9_usize,
            set in prop::collection::vec(prop::bool::weighted(0.15), 0..80)
        ) {
            let set = &set[..set.len() / width * width];
            let square = |a: usize, b: usize| {
                ((a / width).abs_diff(b / width).pow(2) + (a % width).abs_diff(b % width).pow(2)) as u64
            };
            for (i, distance) in distances(set, width).into_iter().enumerate() {
                match (0..set.len()).filter(|&j| set[j]).map(|j| square(i, j)).min() {
                    Some(nearest) => prop_assert_eq!(distance, nearest),
                    None => prop_assert!(distance >= FAR * FAR),
                }
            }
        }
    }
}
