//! What the library promises of every image: the same bytes always, an error and no panic for what cannot be
//! segmented.

mod common;

use flowmask::{
    Compat, Diameter, Error, Image, Model, Normalize, Options, Sampling, Segmentation, Segmenter,
};
use ndarray::{Array2, Array3};

fn segmenter(threads: usize) -> Segmenter {
    Segmenter::builder().model(Model::named("nuclei").unwrap()).threads(threads).build().unwrap()
}

/// Discs of 12 pixels on a noisy ground.
fn discs(height: usize, width: usize) -> Image {
    let value = |(y, x): (usize, usize)| {
        let (dy, dx) = ((y % 24) as f32 - 11.5, (x % 24) as f32 - 11.5);
        let noise = (y * 7919 + x * 104_729) % 13;
        if dy * dy + dx * dx < 40.0 { 180 + noise as u8 } else { 10 + noise as u8 }
    };
    Image::from_gray(Array2::from_shape_fn((height, width), value).view()).unwrap()
}

fn segment(image: &Image, options: &Options) -> Result<Segmentation, Error> {
    segmenter(0).segment(image, options)
}

#[test]
fn same_bytes_for_any_threads_and_batch_size() {
    let image = discs(160, 190);
    let (diameter, bsize) = (Diameter::Pixels(13.0), 96);
    let want = segmenter(1).segment(&image, &Options::default().diameter(diameter).bsize(bsize)).unwrap();
    assert!(want.cells() > 40, "{} cells", want.cells());
    for (threads, batch_size) in [(1, 1), (2, 8), (2, 3), (7, 5), (7, 1)] {
        let options = Options::default().diameter(diameter).bsize(bsize).batch_size(Some(batch_size));
        let found = segmenter(threads).segment(&image, &options).unwrap();
        assert!(found == want, "{threads} threads, batches of {batch_size}");
    }
}

#[test]
fn options_of_one_call_do_not_stick() {
    let (segmenter, image) = (segmenter(0), discs(100, 100));
    let want = segmenter.segment(&image, &Options::default()).unwrap();
    let normalize = Normalize::default().invert(true).percentile([10.0, 80.0]);
    let other = segmenter.segment(&image, &Options::default().normalize(normalize)).unwrap();
    assert!(other != want);
    assert!(segmenter.segment(&image, &Options::default()).unwrap() == want);
}

#[test]
fn labels_are_numbered_in_memory_order() {
    let found = segment(&discs(100, 100), &Options::default()).unwrap();
    let mut last = 0;
    for &label in found.masks.iter().filter(|label| **label != 0) {
        assert!(label <= last + 1, "{label} comes after {last}");
        last = last.max(label);
    }
    assert_eq!(last as usize, found.cells());
    assert!(last > 0);
}

#[test]
fn blank_images_have_no_cells() {
    for model in ["nuclei", "cyto"] {
        let segmenter = Segmenter::builder().model(Model::named(model).unwrap()).build().unwrap();
        for value in [0.0f32, 1.0, 137.0, 65535.0, -4.0] {
            for (height, width) in [(1, 1), (64, 64), (300, 260)] {
                let image = Image::from_gray(Array2::from_elem((height, width), value).view()).unwrap();
                let found = segmenter.segment(&image, &Options::default()).unwrap();
                assert_eq!(found.masks.dim(), (height, width));
                assert_eq!(found.cells(), 0, "{model}, {height} by {width} of {value}");
            }
        }
    }
}

#[test]
fn every_size_and_option_gives_masks_of_the_image() {
    let all = [
        Options::default(),
        Options::default().resample(false),
        Options::default().augment(true),
        Options::default().bsize(32).tile_overlap(0.5),
        Options::default().sampling(Sampling::GridSample),
        Options::default().sampling(Sampling::Nearest).niter(Some(0)).min_size(0),
        Options::default().compat(Compat::V3_1_1).exclude_on_edges(true),
        Options::default().cellprob_threshold(-1e30).flow_threshold(0.0).min_size(1),
        Options::default().normalize(Normalize::default().enabled(false)),
    ];
    // Random weights: noisy flows and masks everywhere.
    let tiny = Model::open(common::data("models/tiny.pth")).unwrap();
    let tiny = Segmenter::builder().model(tiny).build().unwrap();
    for (height, width) in [(1, 1), (1, 300), (300, 1), (2, 3), (17, 31), (5, 230)] {
        let image = discs(height, width);
        for options in &all {
            for diameter in [Diameter::Model, Diameter::Pixels(60.0), Diameter::Pixels(9.0)] {
                check(&tiny, &image, &options.clone().diameter(diameter));
            }
        }
        check(&segmenter(0), &image, &Options::default().diameter(Diameter::Auto));
    }
}

fn check(segmenter: &Segmenter, image: &Image, options: &Options) {
    let found = segmenter.segment(image, options).unwrap();
    assert_eq!(found.masks.dim(), (image.height(), image.width()), "{options:?}");
    assert!(found.flows.iter().all(|v| v.is_finite()), "{options:?}");
}

#[test]
fn models_that_do_not_segment_are_refused() {
    let model = Model::open(common::data("models/tiny_1in_1out.pth")).unwrap();
    let error = Segmenter::builder().model(model).build().err().unwrap().to_string();
    assert!(error.contains("tiny_1in_1out.pth: has 1 outputs; a segmentation needs 3"), "{error}");
    let tiny = Model::open(common::data("models/tiny.pth")).unwrap();
    let tiny = Segmenter::builder().model(tiny).build().unwrap();
    let options = Options::default().diameter(Diameter::Auto);
    let error = tiny.segment(&discs(20, 20), &options).unwrap_err().to_string();
    assert!(error.contains("tiny.pth: has no size model"), "{error}");
}

#[test]
fn huge_cells_shrink_the_image_to_a_pixel() {
    let options = Options::default().diameter(Diameter::Pixels(1e5));
    assert_eq!(segment(&discs(40, 50), &options).unwrap().cells(), 0);
}

#[test]
fn images_that_cannot_be_segmented() {
    let mut pixels = Array3::from_elem((20, 30, 2), 1.0f32);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        pixels[[3, 4, 1]] = value;
        let error = segment(&Image::from_channels(pixels.view()).unwrap(), &Options::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("image: the pixel at row 3, column 4, channel 2 is {value}"));
    }
    let options = Options::default().channels([3, 0]);
    let error = segment(&discs(20, 20), &options).unwrap_err();
    assert_eq!(error.to_string(), "image: has 1 channels, channel 3 is not there");
    for shape in [(0, 4, 1), (4, 0, 1), (4, 4, 0)] {
        let error = Image::from_channels(Array3::<u8>::zeros(shape).view()).unwrap_err();
        assert!(matches!(error, Error::Image(_)), "{error}");
    }
}

#[test]
fn many_channels() {
    let channel = discs(60, 60);
    let flowmask::Pixels::U8(gray) = channel.pixels() else { panic!("another type") };
    let pixels =
        Array3::from_shape_fn((60, 60, 100), |(y, x, c)| if c == 36 { gray[[y, x, 0]] } else { c as u8 });
    let image = Image::from_channels(pixels.view()).unwrap();
    let chosen = segment(&image, &Options::default().channels([37, 0])).unwrap();
    assert!(chosen == segment(&channel, &Options::default()).unwrap());
}

#[test]
fn options_out_of_range_are_named() {
    let good = Options::default();
    let cases = [
        ("diameter", good.clone().diameter(Diameter::Pixels(-3.0))),
        ("diameter", good.clone().diameter(Diameter::Pixels(f64::NAN))),
        ("percentile", with_percentile([99.0, 1.0])),
        ("percentile", with_percentile([1.0, 101.0])),
        ("flow_threshold", good.clone().flow_threshold(f64::NAN)),
        ("cellprob_threshold", good.clone().cellprob_threshold(f32::INFINITY)),
        ("max_size_fraction", good.clone().max_size_fraction(0.0)),
        ("batch_size", good.clone().batch_size(Some(0))),
        ("tile_overlap", good.clone().tile_overlap(0.7)),
        ("bsize", good.clone().bsize(100)),
    ];
    for (name, options) in cases {
        let error = segment(&discs(20, 20), &options).unwrap_err();
        assert!(error.to_string().starts_with(&format!("option {name}: ")), "{error}");
    }
}

fn with_percentile(percentile: [f64; 2]) -> Options {
    Options::default().normalize(Normalize::default().percentile(percentile))
}

#[test]
fn progress_rises_to_the_end_and_can_stop_the_work() {
    let (segmenter, image) = (segmenter(0), discs(160, 190));
    let options = Options::default().bsize(96).batch_size(Some(2));
    let want = segmenter.segment(&image, &options).unwrap();
    let mut seen = Vec::new();
    let mut note = |done| {
        seen.push(done);
        true
    };
    assert!(segmenter.segment_with_progress(&image, &options, &mut note).unwrap() == want);
    assert!(
        seen.len() > 3 && seen.is_sorted() && seen.iter().all(|done| (0.0..=1.0).contains(done)),
        "{seen:?}"
    );
    for calls in [1, 3] {
        let mut left = calls;
        let mut stop = |_| {
            left -= 1;
            left > 0
        };
        let result = segmenter.segment_with_progress(&image, &options, &mut stop);
        assert!(matches!(result, Err(Error::Cancelled)), "after {calls} calls");
        assert_eq!(left, 0);
    }
    // What was stopped leaves nothing behind.
    assert!(segmenter.segment(&image, &options).unwrap() == want);
}

#[test]
fn many_files_get_the_masks_of_each_alone() {
    let segmenter = segmenter(2);
    let options = Options::default().bsize(96);
    let files: Vec<Vec<Image>> = vec![
        vec![discs(100, 120)],
        vec![],
        vec![discs(60, 60), discs(33, 170)],
        vec![Image::from_gray(Array2::from_elem((8, 8), f32::NAN).view()).unwrap()],
        vec![discs(1, 1)],
    ];
    let found = std::sync::Mutex::new(std::collections::BTreeMap::new());
    let loads = files.iter().enumerate().map(|(i, images)| {
        move || if i == 1 { Err(Error::Image("cannot be loaded".into())) } else { Ok(images.clone()) }
    });
    segmenter
        .segment_many(loads, &options, |i, result| {
            assert!(found.lock().unwrap().insert(i, result).is_none(), "{i} is done twice");
        })
        .unwrap();
    let found = found.into_inner().unwrap();
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    for (i, images) in files.iter().enumerate() {
        match &found[&i] {
            Err(Error::Image(reason)) => {
                assert!([(1, "loaded"), (3, "NaN")].iter().any(|(n, w)| *n == i && reason.contains(w)))
            }
            Err(error) => panic!("{i}: {error}"),
            Ok((same, found)) => {
                assert!(images == same && found.len() == images.len());
                for (image, found) in images.iter().zip(found) {
                    assert!(*found == segmenter.segment(image, &options).unwrap(), "{i}");
                }
            }
        }
    }
}
