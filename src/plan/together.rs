//! How many voxels of a volume are followed together, and the memory that this takes.

/// Bytes of the number of a place.
const NUMBER: u64 = 4;

/// How many of `count` walks are followed together by one of the threads: of more walks, more meet. That is
/// half of a thread's share, so that threads end together, but not so few that hardly any meet, and not so
/// many that their places leave the caches. The number does not change the result.
pub(crate) fn together(count: usize, threads: usize) -> usize {
    count.div_ceil(2 * threads.max(1)).clamp(4096, 1 << 18)
}

/// The slots of the table in which the places of so many walks are looked up: a quarter to a half of them are
/// taken.
pub(crate) fn slots(walks: usize) -> usize {
    (2 * walks).next_power_of_two()
}

/// The bytes beside the points of `count` walks, however many steps they have: in each thread the number of
/// each walk's place before and after a look, and the table.
pub(crate) fn merging(count: u64, threads: usize) -> u64 {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let part = together(count, threads).min(count);
    let parts = count.div_ceil(part.max(1)).min(threads);
    parts as u64 * NUMBER * (2 * part + slots(part)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_parts_for_each_thread_between_bounds() {
        let parts = [1, 5000, 80_000, 10_000_000].map(|count| together(count, 4));
        assert_eq!(parts, [4096, 4096, 10_000, 1 << 18]);
        assert_eq!(together(usize::MAX, 0), 1 << 18);
    }

    #[test]
    fn memory_is_that_of_the_parts_that_are_followed_at_once() {
        assert_eq!(merging(0, 4), 0);
        // One part, of all walks: two numbers each, and 256 slots.
        assert_eq!(merging(100, 4), 4 * (200 + 256));
        assert_eq!(merging(3 << 12, 4), 3 * 4096 * 16);
        assert_eq!(merging(80_000, 4), 4 * 4 * (20_000 + (1 << 15)));
        assert_eq!(merging(u64::MAX, 4), 4 * (4 << 20));
    }
}
