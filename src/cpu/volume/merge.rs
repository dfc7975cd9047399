//! Walks that have met go on as one: a step depends on the position alone.

use super::follow::Field;
use super::walk::walk_grid;
use crate::memory::{collected, room};
use crate::watch::GoOn;

/// Points that are followed together. Their number does not change the result; of more points, more meet, but fewer threads
/// have work.
pub(super) const TOGETHER: usize = 16_384;

/// Steps between two looks for points that have met, at least: hardly any meet before. Of many steps it is an eighth, so
/// that looks are few.
const LEG: u32 = 32;

/// A place of the table that no point has taken.
const FREE: u32 = u32::MAX;

/// Takes `niter` steps with each point, as [`walk_grid`].
pub(super) fn walk_merging(field: &Field, points: &mut [[f32; 3]], niter: u32, go_on: GoOn) {
    let leg = niter.min(LEG.max(niter / 8));
    walk_grid(field, points, leg, go_on);
    if leg == niter || !go_on() {
        return;
    }
    let (mut distinct, numbers) = distinct(points);
    walk_merging(field, &mut distinct, niter - leg, go_on);
    points.iter_mut().zip(numbers).for_each(|(point, number)| *point = distinct[number as usize]);
}

/// The places where points are, each once, and for each point the number of its place. Places are equal bit by bit.
fn distinct(points: &[[f32; 3]]) -> (Vec<[f32; 3]>, Vec<u32>) {
    let bits = (2 * points.len() as u64).next_power_of_two().ilog2();
    let mut table: Vec<u32> = collected(1 << bits, std::iter::repeat_n(FREE, 1 << bits));
    let (mut places, mut numbers): (Vec<[f32; 3]>, Vec<u32>) = (room(points.len()), room(points.len()));
    for point in points {
        let own = point.map(f32::to_bits);
        let [z, y, x] = own.map(u64::from);
        let hash = (z ^ y << 20 ^ x << 40 ^ x >> 24).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (hash >> (64 - bits)) as usize;
        while table[slot] != FREE && places[table[slot] as usize].map(f32::to_bits) != own {
            slot = (slot + 1) % table.len();
        }
        if table[slot] == FREE {
            table[slot] = places.len() as u32;
            places.push(*point);
        }
        numbers.push(table[slot]);
    }
    (places, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_equal_bit_by_bit() {
        let points = [[0.0, 1.0, 2.0], [-0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [-0.0, 1.0, 2.0]];
        let (places, numbers) = distinct(&points);
        assert_eq!(numbers, [0, 1, 0, 2, 1]);
        assert_eq!(places.len(), 3);
        assert!(numbers.iter().zip(&points).all(|(&number, point)| {
            places[number as usize].map(f32::to_bits) == point.map(f32::to_bits)
        }));
    }
}
