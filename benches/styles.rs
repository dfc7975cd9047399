//! Times the map of style vectors: `cargo bench --bench styles -- 1000 2000 4000 8000`.

use std::time::Instant;

use flowmask::Image;
use flowmask::report::{StyleImage, StyleMap, TsneOptions};
use ndarray::{Array1, Array2};

/// The length of a style vector.
const LENGTH: usize = 256;
/// The kinds of images.
const KINDS: usize = 12;

/// Images of some kinds, each with a style near that of its kind.
fn images(count: usize) -> Vec<StyleImage> {
    let picture =
        Image::from_gray(Array2::<u8>::from_shape_fn((32, 32), |(y, x)| (y * x) as u8).view()).unwrap();
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let kinds: Vec<f32> = (0..KINDS * LENGTH).map(|_| random()).collect();
    let image = |i: usize| {
        let kind = i % KINDS;
        let style = Array1::from_shape_simple_fn(LENGTH, &mut random) * 0.5;
        let style = style + Array1::from(kinds[kind * LENGTH..][..LENGTH].to_vec());
        let length = style.dot(&style).sqrt();
        StyleImage::new(format!("{i}.png"), kind.to_string(), &picture, style / length)
    };
    (0..count).map(image).collect()
}

fn main() {
    let counts: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    for count in if counts.is_empty() { vec![1000] } else { counts } {
        let images = images(count);
        let start = Instant::now();
        let map = StyleMap::new(&images, &TsneOptions::default()).unwrap();
        let placed = start.elapsed();
        let folder = std::env::temp_dir().join("flowmask-bench-styles.html");
        map.save_html(&folder, "Styles").unwrap();
        std::fs::remove_file(folder).unwrap();
        let page = start.elapsed() - placed;
        println!("{count} images: map {:.2} s, page {:.2} s", placed.as_secs_f64(), page.as_secs_f64());
    }
}
