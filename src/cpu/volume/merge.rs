//! Walks that have met go on as one: a step depends on the position alone.

use super::follow::Field;
use super::walk::walk_grid;
use crate::memory::{collected, room};
use crate::plan::together::slots;
use crate::watch::GoOn;

/// Steps between two looks for walks that have met, at least: hardly any meet before. Of many steps it is an
/// eighth, so that looks are few.
const LEG: u32 = 32;

/// A slot of the table that no place has taken.
const FREE: u32 = u32::MAX;

/// Takes `niter` steps with each point, as [`walk_grid`]. [`merging`](crate::plan::together::merging) counts
/// the memory.
pub(super) fn walk_merging(field: &Field, points: &mut [[f32; 3]], niter: u32, go_on: GoOn) {
    let leg = |left: u32| left.min(LEG.max(left / 8));
    walk_grid(field, points, leg(niter), go_on);
    let mut left = niter - leg(niter);
    if left == 0 || !go_on() {
        return;
    }
    // The first of `points` become the places that differ, and these are what walks on.
    let mut places = points.len();
    let mut numbers: Vec<u32> = collected(points.len(), 0..points.len() as u32);
    while left > 0 && go_on() {
        let new;
        (places, new) = merge(&mut points[..places]);
        numbers.iter_mut().for_each(|number| *number = new[*number as usize]);
        walk_grid(field, &mut points[..places], leg(left), go_on);
        left -= leg(left);
    }
    // A place's number is at most that of its first walk, so from behind no place is overwritten before it is
    // read.
    for i in (0..points.len()).rev() {
        points[i] = points[numbers[i] as usize];
    }
}

/// Moves the places that differ to the front, in the order in which they come first. Returns how many they
/// are, and for each place the number of its equal there. Places are equal bit by bit.
fn merge(places: &mut [[f32; 3]]) -> (usize, Vec<u32>) {
    let slots = slots(places.len());
    let mut table: Vec<u32> = collected(slots, std::iter::repeat_n(FREE, slots));
    let (mut count, mut numbers) = (0, room(places.len()));
    for i in 0..places.len() {
        let own = places[i].map(f32::to_bits);
        let [z, y, x] = own.map(u64::from);
        let hash = (z ^ y << 20 ^ x << 40 ^ x >> 24).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (hash >> (64 - slots.ilog2())) as usize;
        while table[slot] != FREE && places[table[slot] as usize].map(f32::to_bits) != own {
            slot = (slot + 1) % slots;
        }
        if table[slot] == FREE {
            table[slot] = count as u32;
            places[count] = places[i];
            count += 1;
        }
        numbers.push(table[slot]);
    }
    (count, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_equal_bit_by_bit() {
        let points = [[0.0, 1.0, 2.0], [-0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [-0.0, 1.0, 2.0]];
        let mut places = points;
        let (count, numbers) = merge(&mut places);
        assert_eq!((count, &numbers[..]), (3, &[0, 1, 0, 2, 1][..]));
        assert!(numbers.iter().zip(&points).all(|(&number, point)| {
            places[number as usize].map(f32::to_bits) == point.map(f32::to_bits)
        }));
    }
}
