//! The Euler number of a cell in a plane.

use super::runs::Run;

/// The number of a cell's parts less the number of its holes, where pixels that touch at a corner are of one part.
///
/// A run is a closed rectangle, and each two of neighbouring rows that touch do so in a line or a point, which no third has. The
/// union has therefore the Euler number of a graph: runs less touching pairs. `lines` are the runs of each row.
pub fn euler_number(lines: &[&[Run]]) -> i64 {
    let runs: usize = lines.iter().map(|line| line.len()).sum();
    let pairs = lines.windows(2).filter(|pair| pair[0][0].y + 1 == pair[1][0].y);
    runs as i64 - pairs.map(|pair| touching(pair[0], pair[1])).sum::<i64>()
}

/// The number of pairs of runs of two neighbouring rows that touch.
fn touching(above: &[Run], below: &[Run]) -> i64 {
    let (mut i, mut j, mut count) = (0, 0, 0);
    while let (Some(a), Some(b)) = (above.get(i), below.get(j)) {
        count += i64::from(a.start <= b.end && b.start <= a.end);
        match a.end < b.end {
            true => i += 1,
            false => j += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::runs::{lines, tests::drawn};
    use super::*;

    #[test]
    fn parts_less_holes() {
        let number = |rows: &[&str]| euler_number(&lines(&drawn(rows)));
        assert_eq!(number(&["#"]), 1);
        assert_eq!(number(&["###", "#.#", "###"]), 0);
        assert_eq!(number(&[".#.", "#.#", ".#."]), 0);
        assert_eq!(number(&["#.#", ".#.", "#.#"]), 1);
        assert_eq!(number(&["#.#", "...", "#.."]), 3);
        assert_eq!(number(&["#####", "#.#.#", "#####", ".....", "##.##"]), 1);
        assert_eq!(number(&["#.#.#", ".#.#.", "#.#.#"]), 0);
    }
}
