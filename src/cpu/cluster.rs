//! Masks from the end points of the pixels' walks: each peak of their histogram is a cell (`dynamics.get_masks_torch`).

use rayon::prelude::*;

use super::components::renumber;
use super::follow::Points;
use crate::memory::zeros;
use crate::watch::GoOn;

/// A pixel can be a seed when more walks than this ended in it.
pub(super) const SEED_ABOVE: u32 = 10;
/// A seed grows over a pixel when more walks than this ended in it.
pub(super) const GROW_ABOVE: u32 = 2;
/// Steps of growth of a seed; each reaches one pixel further.
pub(super) const REACH: usize = 5;
/// Side of the square of pixels that a seed can reach.
pub(super) const WINDOW: usize = 2 * REACH + 1;

/// Points that are labelled from one question whether to go on to the next: a few milliseconds of work.
pub(super) const BETWEEN: usize = 1 << 18;

/// Which pixels of the square belong to a seed: a number for each row, a bit for each column.
type Window = [u16; WINDOW];

/// Labels `[height, width]`, numbered 1 to n in the order of their first pixels.
///
/// A seed is a pixel whose count is the maximum of the 5×5 pixels around it; every pixel of a plateau is a seed. Where
/// two seeds grow over the same pixel, the one with the higher count wins; where their counts tie, the one later in
/// row-major order wins (the original leaves ties to an unstable sort). Labels that cover more than `max_size_fraction`
/// of the image are removed.
pub fn cluster(points: &Points, size: (usize, usize), max_size_fraction: f64) -> Vec<u32> {
    cluster_while(points, size, max_size_fraction, &|| true)
}

/// Like [`cluster`], and stops early, without labels, when `go_on` is false.
pub(crate) fn cluster_while(
    points: &Points,
    (height, width): (usize, usize),
    max_size_fraction: f64,
    go_on: GoOn,
) -> Vec<u32> {
    let counts = histogram(points, height, width);
    if !go_on() {
        return Vec::new();
    }
    let seeds = seeds(&counts, (height, width), go_on);
    if !go_on() {
        return Vec::new();
    }
    let windows: Vec<Window> = seeds.par_iter().map(|&seed| grow(&counts, height, width, seed)).collect();
    let basins = paint(counts, &seeds, &windows, width);
    let mut labels: Vec<u32> = zeros(height * width);
    for (pixels, ends) in points.pixels.chunks(BETWEEN).zip(points.ends.chunks(BETWEEN)) {
        if !go_on() {
            return Vec::new();
        }
        for (&pixel, &end) in pixels.iter().zip(ends) {
            labels[pixel as usize] = basins[bin(end, (height, width))];
        }
    }
    if !go_on() {
        return Vec::new();
    }
    drop_large(&mut labels, seeds.len(), max_size_fraction);
    if !go_on() {
        return Vec::new();
    }
    renumber(&mut labels);
    labels
}

/// Index of the pixel in which a walk ended. As in the original, the position is truncated, not rounded.
fn bin([y, x]: [f32; 2], (height, width): (usize, usize)) -> usize {
    (y as usize).min(height - 1) * width + (x as usize).min(width - 1)
}

fn histogram(points: &Points, height: usize, width: usize) -> Vec<u32> {
    let mut counts = zeros(height * width);
    points.ends.iter().for_each(|&end| counts[bin(end, (height, width))] += 1);
    counts
}

/// The seeds by ascending count, then in row-major order; not all of them when `go_on` is false.
fn seeds(counts: &[u32], (height, width): (usize, usize), go_on: GoOn) -> Vec<usize> {
    let around = |i: usize, length: usize| i.saturating_sub(2)..(i + 3).min(length);
    let is_maximum = |i: usize| {
        let (y, x) = (i / width, i % width);
        around(y, height).all(|y| counts[y * width..][around(x, width)].iter().all(|&c| c <= counts[i]))
    };
    let rows = (0..height).take_while(|_| go_on()).map(|y| y * width..(y + 1) * width);
    let mut seeds: Vec<usize> = rows.flatten().filter(|&i| counts[i] > SEED_ABOVE && is_maximum(i)).collect();
    seeds.sort_by_key(|&i| counts[i]);
    seeds
}

/// Grows a seed `REACH` times to its eight neighbours, over pixels in which enough walks ended.
fn grow(counts: &[u32], height: usize, width: usize, seed: usize) -> Window {
    let (top, left) = ((seed / width) as isize - REACH as isize, (seed % width) as isize - REACH as isize);
    let allowed: Window = std::array::from_fn(|row| {
        let y = top + row as isize;
        (0..WINDOW).fold(0, |bits, column| {
            let x = left + column as isize;
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            bits | (u16::from(inside && counts[y as usize * width + x as usize] > GROW_ABOVE) << column)
        })
    });
    let mut grown: Window = [0; WINDOW];
    grown[REACH] = 1 << REACH;
    for _ in 0..REACH {
        let wide = grown.map(|bits| bits | bits << 1 | bits >> 1);
        grown = std::array::from_fn(|row| {
            let rows = row.saturating_sub(1)..(row + 2).min(WINDOW);
            wide[rows].iter().fold(0, |bits, row| bits | row) & allowed[row]
        });
    }
    grown
}

/// The number of the seed, from 1, that each pixel belongs to; 0 for none. Later seeds paint over earlier ones. The
/// numbers take the memory of the counts.
fn paint(counts: Vec<u32>, seeds: &[usize], windows: &[Window], width: usize) -> Vec<u32> {
    let mut basins = counts;
    basins.fill(0);
    for (label, (seed, window)) in (1..).zip(seeds.iter().zip(windows)) {
        for (row, bits) in window.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            for column in (0..WINDOW).filter(|column| bits >> column & 1 == 1) {
                basins[seed + row * width + column - REACH * width - REACH] = label;
            }
        }
    }
    basins
}

pub(super) fn drop_large(labels: &mut [u32], count: usize, max_size_fraction: f64) {
    let mut areas = vec![0usize; count + 1];
    labels.iter().for_each(|&label| areas[label as usize] += 1);
    let largest = labels.len() as f64 * max_size_fraction;
    if areas[1..].iter().any(|&area| area as f64 > largest) {
        labels
            .iter_mut()
            .filter(|label| areas[**label as usize] as f64 > largest)
            .for_each(|label| *label = 0);
    }
}
