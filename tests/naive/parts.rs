//! `parts`: the largest part of each label, one flood at a time.

use flowmask::cpu::components::fill_holes_and_drop_small;
use flowmask::cpu::parts::keep_largest_parts;
use flowmask::{Compat, output};
use ndarray::Array2;
use proptest::prelude::*;

use crate::check::{Labels, config, labels, same};

/// The pixels that a path of 4-neighbours with the same label joins to `start`.
fn flood(image: &Labels, start: usize) -> Vec<usize> {
    let Labels { height, width, data } = image;
    let mut part = vec![start];
    let mut next = 0;
    while next < part.len() {
        let (y, x) = (part[next] / width, part[next] % width);
        next += 1;
        let near = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
        for (y, x) in near.into_iter().filter(|(y, x)| y < height && x < width) {
            let i = y * width + x;
            if data[i] == data[start] && !part.contains(&i) {
                part.push(i);
            }
        }
    }
    part
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn largest_parts(image in labels()) {
        let mut want = image.data.clone();
        let mut numbers = image.data.clone();
        numbers.sort();
        numbers.dedup();
        for label in numbers.into_iter().filter(|&label| label != 0) {
            let pixels = || (0..image.data.len()).filter(|&i| image.data[i] == label);
            // From the first pixel on, so that a later part must be larger to win.
            let mut largest: Vec<usize> = Vec::new();
            for start in pixels() {
                let part = flood(&image, start);
                if part.len() > largest.len() {
                    largest = part;
                }
            }
            pixels().filter(|i| !largest.contains(i)).for_each(|i| want[i] = 0);
        }
        let mut got = image.data.clone();
        keep_largest_parts(&mut got, image.width);
        same(&got, &want, image.width)?;
    }

    #[test]
    fn filled_masks_have_one_outline_each(image in labels()) {
        let Labels { height, width, mut data } = image;
        keep_largest_parts(&mut data, width);
        fill_holes_and_drop_small(&mut data, width, 3, Compat::None);
        let cells = data.iter().copied().max().unwrap();
        let polygons = output::polygons(Array2::from_shape_vec((height, width), data).unwrap().view());
        let found: Vec<u32> = polygons.iter().map(|polygon| polygon.label).collect();
        prop_assert_eq!(found, (1..=cells).collect::<Vec<_>>());
    }
}

#[test]
fn nothing() {
    keep_largest_parts(&mut [], 0);
    let mut far = vec![u32::MAX, 0, u32::MAX, u32::MAX];
    keep_largest_parts(&mut far, 4);
    assert_eq!(far, [0, 0, u32::MAX, u32::MAX]);
}
