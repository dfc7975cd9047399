//! The masks of a plane as runs of pixels: counting what two planes share takes one pass over the runs of both.

use ndarray::{ArrayView1, ArrayViewMut2};

use crate::metrics::Cell;

/// The masks of a plane, as their runs in its rows: few against its pixels, and in the order of the pixels.
pub(super) struct Plane {
    pub runs: Vec<Run>,
    /// Sorted by label.
    pub cells: Vec<Cell>,
}

/// Pixels from `start` to `end` in row-major order, all of one row and one mask.
pub(super) struct Run {
    start: usize,
    end: usize,
    /// Index into the plane's cells.
    pub cell: usize,
}

/// How many pixels a mask shares with one of the plane below it; both by their indices.
pub(super) struct Overlap {
    pub cell: usize,
    pub below: usize,
    pub pixels: usize,
}

impl Plane {
    /// How many runs the masks of a plane have.
    pub fn count(labels: &ArrayViewMut2<u32>) -> usize {
        let in_row = |row: ArrayView1<u32>| {
            let mut last = 0;
            let begins =
                row.iter().filter(|&&label| std::mem::replace(&mut last, label) != label && label > 0);
            begins.count()
        };
        labels.rows().into_iter().map(in_row).sum()
    }

    pub fn of(labels: &ArrayViewMut2<u32>) -> Self {
        let (mut runs, mut start) = (Vec::new(), 0);
        // The label of each run and the run's index.
        let mut of_runs: Vec<(u32, usize)> = Vec::new();
        for row in labels.rows() {
            let row = row.as_standard_layout();
            for run in row.as_slice().expect("a row in standard layout").chunk_by(|a, b| a == b) {
                let end = start + run.len();
                if run[0] > 0 {
                    of_runs.push((run[0], runs.len()));
                    runs.push(Run { start, end, cell: 0 });
                }
                start = end;
            }
        }
        of_runs.sort_unstable();
        let mut cells = Vec::new();
        for same in of_runs.chunk_by(|a, b| a.0 == b.0) {
            let mut area = 0;
            for &(_, i) in same {
                runs[i].cell = cells.len();
                area += runs[i].end - runs[i].start;
            }
            cells.push(Cell { label: same[0].0, area });
        }
        Plane { runs, cells }
    }

    /// The overlaps with the plane below, in the order of their indices.
    pub fn over(&self, below: &Plane) -> Vec<Overlap> {
        let mut parts: Vec<(usize, usize, usize)> = Vec::new();
        let mut lower = below.runs.iter().peekable();
        for run in &self.runs {
            while lower.next_if(|other| other.end <= run.start).is_some() {}
            // The last one may reach into the next run too.
            while let Some(other) = lower.peek().filter(|other| other.start < run.end) {
                let pixels = run.end.min(other.end) - run.start.max(other.start);
                parts.push((run.cell, other.cell, pixels));
                if other.end > run.end {
                    break;
                }
                lower.next();
            }
        }
        parts.sort_unstable();
        let sum = |parts: &[(usize, usize, usize)]| {
            let pixels = parts.iter().map(|part| part.2).sum();
            Overlap { cell: parts[0].0, below: parts[0].1, pixels }
        };
        parts.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(sum).collect()
    }

    /// Writes new labels to the plane: one for each cell.
    pub fn relabel(&self, plane: &mut ArrayViewMut2<u32>, labels: &[u32]) {
        let width = plane.dim().1;
        let same = |run: &Run| labels[run.cell] == self.cells[run.cell].label;
        for run in self.runs.iter().filter(|run| !same(run)) {
            let label = labels[run.cell];
            match plane.as_slice_mut() {
                Some(pixels) => pixels[run.start..run.end].fill(label),
                None => (run.start..run.end).for_each(|i| plane[[i / width, i % width]] = label),
            }
        }
    }
}
