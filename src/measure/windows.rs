//! What two by two by two voxels of a cell look like, counted over all such windows: the Euler number and the surface of a
//! cell in a volume are sums over them.

use super::runs::Run;

/// How often each of the 256 windows occurs. Bit `4 z + 2 y + x` tells whether the cell has the voxel at that corner.
pub type Windows = [u64; 256];

/// Counts the windows that have at least one voxel of a cell and one corner of the lattice in their middle. `lines` are the
/// runs of each row, in their order.
pub fn windows(lines: &[&[Run]]) -> Windows {
    let mut counts = [0; 256];
    for line in lines {
        let (z, y) = line[0].line();
        // A window between four rows is counted by the first of them that has pixels.
        for (dz, dy) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let corner = (i64::from(z) + dz, i64::from(y) + dy);
            let place = |i: i64| (corner.0 - 1 + i / 2, corner.1 - 1 + i % 2);
            let rows = [0, 1, 2, 3].map(|i| find(lines, place(i)));
            if rows.iter().position(|row| !row.is_empty()) == Some((3 - 2 * dz - dy) as usize) {
                sweep(rows, &mut counts);
            }
        }
    }
    counts
}

/// The runs of a row; none where the cell has no pixels.
fn find<'a>(lines: &[&'a [Run]], (z, y): (i64, i64)) -> &'a [Run] {
    let found = lines.binary_search_by_key(&(z, y), |line| (i64::from(line[0].z), i64::from(line[0].y)));
    found.map_or(&[], |i| lines[i])
}

/// Counts the windows along four rows: those of (z, y), (z, y + 1), (z + 1, y) and (z + 1, y + 1).
fn sweep(mut rows: [&[Run]; 4], counts: &mut Windows) {
    // The bits of the voxels before the present column, at x = 0 of a window.
    let (mut before, mut column) = (0, -1);
    loop {
        let next = rows.iter().filter_map(|row| row.first()).map(|run| next_end(run, column)).min();
        let Some(next) = next else { return };
        if before != 0 {
            // Between two ends of runs nothing changes along x.
            counts[before | before << 1] += (next - column - 1) as u64;
        }
        let mut after = 0;
        for (i, row) in rows.iter_mut().enumerate() {
            while row.first().is_some_and(|run| i64::from(run.end) <= next) {
                *row = &row[1..];
            }
            after |= usize::from(row.first().is_some_and(|run| i64::from(run.start) <= next)) << (2 * i);
        }
        counts[before | after << 1] += 1;
        (before, column) = (after, next);
    }
}

/// The next column after `column` at which a run begins or ends.
fn next_end(run: &Run, column: i64) -> i64 {
    if i64::from(run.start) > column { run.start.into() } else { run.end.into() }
}

/// The number of parts of a cell, less its tunnels, plus its hollows; voxels that touch at a corner are of one part.
///
/// A cell is taken as closed cubes. A corner of the lattice belongs to one window, an edge to two, a face to four and a cube to
/// eight, so each window has an eighth of: eight corners, less four for each edge, plus two for each face, less one for each cube
/// that are of the cell.
pub fn euler_number(windows: &Windows) -> i64 {
    let eighths = windows.iter().enumerate().map(|(window, &count)| eighths(window) * count as i64);
    eighths.sum::<i64>() / 8
}

fn eighths(window: usize) -> i64 {
    let has = |mask: usize| i64::from(window & mask != 0);
    // The voxels at one side along x, y and z.
    let sides = [0x55, 0xaa, 0x33, 0xcc, 0x0f, 0xf0];
    let edges: i64 = sides.iter().map(|&side| has(side)).sum();
    let pairs = (0..6).flat_map(|i| (i + 1..6).map(move |j| sides[i] & sides[j])).filter(|&both| both != 0);
    8 * has(0xff) - 4 * edges + 2 * pairs.map(has).sum::<i64>() - (window.count_ones() as i64)
}

#[cfg(test)]
mod tests {
    use super::super::runs::{lines, runs};
    use super::*;
    use ndarray::{Array3, Axis};

    fn of(volume: &Array3<u32>) -> Windows {
        let planes: Vec<_> = volume.axis_iter(Axis(0)).collect();
        windows(&lines(&runs(&planes, None)))
    }

    #[test]
    fn every_window_is_counted_once() {
        let mut random = 1_u32;
        let volume = Array3::from_shape_fn((4, 5, 6), |_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 31
        });
        let voxel = |z: i64, y: i64, x: i64| match volume.get((z as usize, y as usize, x as usize)) {
            Some(1) => 1_usize,
            _ => 0,
        };
        let mut wanted = [0; 256];
        for (z, y, x) in (-1..4).flat_map(|z| (-1..5).flat_map(move |y| (-1..6).map(move |x| (z, y, x)))) {
            let bit = |i: i64| voxel(z + (i >> 2), y + (i >> 1 & 1), x + (i & 1)) << i;
            wanted[(0..8).map(bit).sum::<usize>()] += 1;
        }
        // Windows without a voxel are not asked for.
        let (mut found, _) = (of(&volume), wanted[0] = 0);
        found[0] = 0;
        assert_eq!(found, wanted);
    }

    #[test]
    fn parts_tunnels_and_hollows() {
        let solid = Array3::<u32>::ones((3, 3, 3));
        assert_eq!(euler_number(&of(&solid)), 1);
        let mut hollow = solid.clone();
        hollow[[1, 1, 1]] = 0;
        assert_eq!(euler_number(&of(&hollow)), 2);
        let mut ring = hollow.clone();
        (ring[[0, 1, 1]], ring[[2, 1, 1]]) = (0, 0);
        assert_eq!(euler_number(&of(&ring)), 0);
        let mut corners = Array3::<u32>::zeros((2, 2, 4));
        (corners[[0, 0, 0]], corners[[1, 1, 1]], corners[[0, 0, 3]]) = (1, 1, 1);
        assert_eq!(euler_number(&of(&corners)), 2);
    }
}
