//! `components`: the operations on finished masks, one label at a time.

use flowmask::Compat;
use flowmask::cpu::components::{areas, bounds, diameter, drop_edges, fill_holes_and_drop_small, renumber};
use proptest::prelude::*;

use crate::check::{Labels, config, labels, same};

fn count(labels: &[u32], label: u32) -> usize {
    labels.iter().filter(|other| **other == label).count()
}

fn drop_label(labels: &mut [u32], label: u32) {
    labels.iter_mut().filter(|other| **other == label).for_each(|other| *other = 0);
}

/// The labels in the order of their first pixels, without 0.
fn order(labels: &[u32]) -> Vec<u32> {
    let mut order = Vec::new();
    for &label in labels {
        if label != 0 && !order.contains(&label) {
            order.push(label);
        }
    }
    order
}

fn numbered(labels: &[u32]) -> Vec<u32> {
    let order = order(labels);
    labels
        .iter()
        .map(|label| order.iter().position(|other| other == label).map_or(0, |i| i as u32 + 1))
        .collect()
}

/// The first and last row, and the first and last column, of a label.
fn limits(labels: &[u32], width: usize, label: u32) -> [usize; 4] {
    let pixels = || (0..labels.len()).filter(|&i| labels[i] == label);
    let (rows, columns) = (|| pixels().map(|i| i / width), || pixels().map(|i| i % width));
    let ends = [rows().min(), rows().max(), columns().min(), columns().max()];
    ends.map(Option::unwrap)
}

/// The labels with fewer than `min_size` pixels. The original's fault: for label 1 it uses the area of the second of
/// the sorted numbers that occur, for label 2 that of the third, and so on.
fn small(labels: &[u32], min_size: usize, compat: Compat) -> Vec<u32> {
    let mut unique = labels.to_vec();
    unique.sort();
    unique.dedup();
    match compat {
        Compat::None => unique.into_iter().filter(|&l| l != 0 && count(labels, l) < min_size).collect(),
        Compat::V3_1_1 => {
            let ranks = 1..unique.len();
            ranks.filter(|&k| count(labels, unique[k]) < min_size).map(|k| k as u32).collect()
        }
        other => panic!("{other:?} has no reference"),
    }
}

/// Floods the box of a label from outside through 4-neighbours without the label. Pixels that stay dry get `number`.
fn fill(labels: &mut [u32], width: usize, label: u32, number: u32) {
    let [top, bottom, left, right] = limits(labels, width, label);
    let (rows, columns) = (bottom - top + 3, right - left + 3);
    let mut wet = vec![vec![false; columns]; rows];
    wet[0][0] = true;
    // As many passes as there are pixels are enough for any path.
    for _ in 0..rows * columns {
        for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            let border = y == 0 || x == 0 || y == rows - 1 || x == columns - 1;
            let dry = !border && labels[(top + y - 1) * width + left + x - 1] == label;
            let near = y > 0 && wet[y - 1][x]
                || x > 0 && wet[y][x - 1]
                || y + 1 < rows && wet[y + 1][x]
                || x + 1 < columns && wet[y][x + 1];
            wet[y][x] |= near && !dry;
        }
    }
    for (y, x) in (top..=bottom).flat_map(|y| (left..=right).map(move |x| (y, x))) {
        if !wet[y - top + 1][x - left + 1] {
            labels[y * width + x] = number;
        }
    }
}

/// `Compat::None` renumbers the labels first and last; the original renumbers only after dropping.
fn reference(image: &Labels, min_size: usize, compat: Compat) -> Vec<u32> {
    let mut labels = image.data.clone();
    let drop = |labels: &mut Vec<u32>| {
        for label in small(labels, min_size, compat) {
            drop_label(labels, label);
        }
        if min_size > 0 || compat == Compat::None {
            *labels = numbered(labels);
        }
    };
    if compat == Compat::None {
        labels = numbered(&labels);
    }
    drop(&mut labels);
    let mut sorted = order(&labels);
    sorted.sort();
    for (number, label) in (1..).zip(sorted) {
        // A label can be gone because the hole that it was in was filled.
        if labels.contains(&label) {
            fill(&mut labels, image.width, label, number);
        }
    }
    drop(&mut labels);
    labels
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn numbers_areas_and_boxes(image in labels()) {
        let Labels { width, data, .. } = image;
        let mut got = data.clone();
        prop_assert_eq!(renumber(&mut got), order(&data).len());
        same(&got, &numbered(&data), width)?;
        let max = data.iter().copied().max().unwrap();
        let (areas, boxes) = (areas(&data), bounds(&data, width));
        prop_assert_eq!((areas.len(), boxes.len()), (max as usize + 1, max as usize));
        prop_assert_eq!(areas.iter().sum::<usize>(), data.len());
        prop_assert_eq!(boxes.iter().flatten().count(), order(&data).len());
        for label in order(&data) {
            prop_assert_eq!(areas[label as usize], count(&data, label), "label {}", label);
            let found = boxes[label as usize - 1].as_ref().unwrap();
            let found = [found.rows.start, found.rows.end - 1, found.columns.start, found.columns.end - 1];
            prop_assert_eq!(found, limits(&data, width, label), "label {}", label);
        }
    }

    #[test]
    fn holes_and_small_masks(image in labels(), min_size in prop_oneof![Just(0usize), 1..20usize]) {
        for compat in [Compat::None, Compat::V3_1_1] {
            let mut got = image.data.clone();
            fill_holes_and_drop_small(&mut got, image.width, min_size, compat);
            same(&got, &reference(&image, min_size, compat), image.width)
                .map_err(|e| TestCaseError::fail(format!("{compat:?}: {e}")))?;
        }
    }

    #[test]
    fn edges(image in labels()) {
        let Labels { height, width, data } = image;
        let mut want = data.clone();
        for label in order(&data) {
            let [top, bottom, left, right] = limits(&data, width, label);
            if top == 0 || left == 0 || bottom == height - 1 || right == width - 1 {
                drop_label(&mut want, label);
            }
        }
        let mut got = data;
        drop_edges(&mut got, (height, width));
        same(&got, &numbered(&want), width)?;
    }

    #[test]
    fn median_diameter(image in labels()) {
        let mut roots: Vec<f64> = order(&image.data).iter().map(|&l| (count(&image.data, l) as f64).sqrt()).collect();
        roots.sort_by(f64::total_cmp);
        let n = roots.len();
        let median = if n == 0 { 0.0 } else { (roots[(n - 1) / 2] + roots[n / 2]) / 2.0 };
        let want = median / (std::f64::consts::PI.sqrt() / 2.0);
        // The bound is a few roundings of double precision.
        prop_assert!((diameter(&image.data) - want).abs() <= 4.0 * f64::EPSILON * want);
    }
}

#[test]
fn nothing() {
    assert_eq!((renumber(&mut []), areas(&[]), diameter(&[])), (0, vec![0], 0.0));
    assert!(bounds(&[], 1).is_empty());
}
