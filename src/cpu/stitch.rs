//! Masks of the planes of a stack become masks of a volume (`utils.stitch3D`).

mod runs;

use std::collections::{HashMap, HashSet};

use ndarray::ArrayViewMut2;
use rayon::prelude::*;

use crate::memory::{enough, require};
use crate::metrics::Cell;
use crate::text::number;
use crate::{Compat, Error, Result};
use runs::{Overlap, Plane};

/// Bytes that a run of pixels takes at most: itself and its label, in arrays that double as they grow, and its overlaps.
const BYTES_OF_RUN: u64 = 128;

/// Gives masks of neighbouring planes, `[height, width]` from the first to the last, the same label where they belong to
/// one cell, and returns the number of cells.
///
/// The first plane keeps its labels. A mask of the next plane gets the label of the mask below it with which its
/// intersection over union is highest, if that is at least `threshold` (0 to 1; 0 takes any overlap), and if no other mask of its
/// plane has a higher one with it. Masks that lie equally well get the same label; of two equally good labels a mask gets
/// the lower one. All other masks get new labels, in the order of their own, after the largest label so far. Only
/// neighbours are compared, so that a cell ends where a plane has nothing of it.
///
/// After an empty plane labels go on after the largest so far. In the original they begin anew where no two planes with
/// masks were neighbours before, so that two cells may get the same label; and labels that a plane leaves out take numbers.
/// [`Compat::V3_1_1`] does both.
///
/// # Errors
/// [`Error::Memory`]; [`Error::Option`] for a threshold that is not from 0 to 1; [`Error::Image`] for fewer than two planes, planes of
/// different sizes, and more labels than 32 bits have. The labels are then unchanged.
pub fn stitch(planes: &mut [ArrayViewMut2<u32>], threshold: f64, compat: Compat) -> Result<u32> {
    stitch_within(planes, threshold, compat, None)
}

/// Like [`stitch`], with at most so many bytes beside the labels; `None` takes what is free.
///
/// # Errors
/// Those of [`stitch`].
pub fn stitch_within(
    planes: &mut [ArrayViewMut2<u32>],
    threshold: f64,
    compat: Compat,
    memory: Option<u64>,
) -> Result<u32> {
    check(planes, threshold)?;
    let what = || format!("stitching {} planes", planes.len());
    enough(what, || {
        let runs = planes.par_iter().map(Plane::count).sum::<usize>();
        require(runs as u64 * BYTES_OF_RUN, memory);
        Ok(())
    })?;
    let masks: Vec<Plane> = planes.par_iter().map(Plane::of).collect();
    let overlaps: Vec<Vec<Overlap>> = masks.par_windows(2).map(|pair| pair[1].over(&pair[0])).collect();
    let first: Vec<u32> = masks[0].cells.iter().map(|cell| cell.label).collect();
    let mut last = first.last().map_or(0, |&label| u64::from(label));
    let mut linked = false;
    let mut labels = vec![first];
    for (z, overlaps) in overlaps.iter().enumerate() {
        let (below, cells) = (&masks[z].cells, &masks[z + 1].cells);
        let most = cells.last().map_or(0, |cell| u64::from(cell.label));
        linked |= !below.is_empty() && !cells.is_empty();
        if compat == Compat::V3_1_1 && !linked {
            labels.push(cells.iter().map(|cell| cell.label).collect());
            last = most;
            continue;
        }
        let links = links(overlaps, (below, &labels[z]), cells, threshold);
        let mut new = 0;
        let number = |(index, link): (usize, Option<u32>)| match link {
            Some(label) => u64::from(label),
            None => {
                new += 1;
                last + new + left_out(compat, cells[index].label.into(), index + 1)
            }
        };
        let numbers: Vec<u64> = links.into_iter().enumerate().map(number).collect();
        last += new + left_out(compat, most, cells.len());
        let numbers = numbers.into_iter().map(u32::try_from).collect::<std::result::Result<_, _>>();
        labels.push(numbers.map_err(|_| Error::Image("has more labels than 32 bits can count".into()))?);
    }
    planes.par_iter_mut().zip(&masks).zip(&labels).for_each(|((plane, masks), labels)| {
        masks.relabel(plane, labels);
    });
    Ok(labels.iter().flatten().collect::<HashSet<_>>().len() as u32)
}

fn check(planes: &[ArrayViewMut2<u32>], threshold: f64) -> Result<()> {
    check_threshold(threshold)?;
    let [first, others @ ..] = planes else { return Err(Error::one_plane(0)) };
    if others.is_empty() {
        return Err(Error::one_plane(1));
    }
    let size = |(height, width): (usize, usize)| format!("{height} by {width}");
    match others.iter().find(|plane| plane.dim() != first.dim()) {
        None => Ok(()),
        Some(other) => Err(Error::Image(format!(
            "planes of {} and {} pixels cannot be stitched",
            size(first.dim()),
            size(other.dim())
        ))),
    }
}

/// Refuses a threshold that is no intersection over union.
pub(crate) fn check_threshold(threshold: f64) -> Result<()> {
    match (0.0..=1.0).contains(&threshold) {
        true => Ok(()),
        false => Err(Error::option(
            "stitch_threshold",
            format!("is {}, but must be from 0 to 1 (an IoU)", number(threshold)),
        )),
    }
}

/// The numbers that the labels take which are left out among the first `present` labels, the last of which is `label`.
fn left_out(compat: Compat, label: u64, present: usize) -> u64 {
    if compat == Compat::V3_1_1 { label - present as u64 } else { 0 }
}

/// For each of the masks `cells` of a plane the label that it gets from the plane below, whose masks have these labels by
/// now.
fn links(
    overlaps: &[Overlap],
    (below, labels): (&[Cell], &[u32]),
    cells: &[Cell],
    threshold: f64,
) -> Vec<Option<u32>> {
    // Masks of the plane below that have the same label are one mask by now.
    let mut areas: HashMap<u32, usize> = HashMap::new();
    for (cell, &label) in below.iter().zip(labels) {
        *areas.entry(label).or_default() += cell.area;
    }
    let mut shared: Vec<_> =
        overlaps.iter().map(|overlap| (overlap.cell, labels[overlap.below], overlap.pixels)).collect();
    shared.sort_unstable();
    let ious = shared.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(|parts| {
        let (mask, label, pixels) = (parts[0].0, parts[0].1, parts.iter().map(|part| part.2).sum::<usize>());
        let union = areas[&label] + cells[mask].area - pixels;
        (mask, label, pixels as f64 / union as f64)
    });
    let ious: Vec<_> = ious.filter(|&(_, _, iou)| iou >= threshold).collect();
    let mut best: HashMap<u32, f64> = HashMap::new();
    for &(_, label, iou) in &ious {
        let best = best.entry(label).or_default();
        *best = best.max(iou);
    }
    let mut links = vec![(None, 0.0); cells.len()];
    for (mask, label, iou) in ious {
        // Labels come in ascending order, so that the lower of two equally good ones stays.
        if iou == best[&label] && iou > links[mask].1 {
            links[mask] = (Some(label), iou);
        }
    }
    links.into_iter().map(|(label, _)| label).collect()
}

/// Drops the masks of a volume that have fewer than `min_size` pixels in all its planes together, and numbers the others 1
/// to n in the order of their first pixels. Returns n.
pub fn drop_small(planes: &mut [ArrayViewMut2<u32>], min_size: usize) -> u32 {
    let masks: Vec<Plane> = planes.par_iter().map(Plane::of).collect();
    let mut areas: HashMap<u32, usize> = HashMap::new();
    for cell in masks.iter().flat_map(|plane| &plane.cells) {
        *areas.entry(cell.label).or_default() += cell.area;
    }
    let mut cells = 0;
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    let mut number = |label: u32| {
        *numbers.entry(label).or_insert_with(|| {
            let kept = areas[&label] >= min_size;
            cells += u32::from(kept);
            if kept { cells } else { 0 }
        })
    };
    let of_plane = |plane: &Plane| {
        let mut labels = vec![None; plane.cells.len()];
        for run in &plane.runs {
            labels[run.cell].get_or_insert_with(|| number(plane.cells[run.cell].label));
        }
        labels.into_iter().map(Option::unwrap_or_default).collect()
    };
    let labels: Vec<Vec<u32>> = masks.iter().map(of_plane).collect();
    planes.par_iter_mut().zip(&masks).zip(&labels).for_each(|((plane, masks), labels)| {
        masks.relabel(plane, labels);
    });
    cells
}
