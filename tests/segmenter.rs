//! What the library promises of every image: the same bytes always, an error and no panic for what cannot be
//! segmented.

mod common;

use std::sync::Mutex;
use std::time::{Duration, Instant};

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
    assert!(
        error.contains("tiny_1in_1out.pth: has one channel and one output: it restores images"),
        "{error}"
    );
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
    // What stands for missing pixels.
    pixels[[3, 4, 1]] = -f32::MAX;
    let error = segment(&Image::from_channels(pixels.view()).unwrap(), &Options::default()).unwrap_err();
    let reason = "is -3.4028235e38, beyond the limit of 1e30";
    assert_eq!(error.to_string(), format!("image: the pixel at row 3, column 4, channel 2 {reason}"));
    let options = Options::default().channels([3, 0]);
    let error = segment(&discs(20, 20), &options).unwrap_err();
    assert_eq!(error.to_string(), "image: has 1 channels, channel 3 is not there");
    for shape in [(0, 4, 1), (4, 0, 1), (4, 4, 0)] {
        let error = Image::from_channels(Array3::<u8>::zeros(shape).view()).unwrap_err();
        assert!(matches!(error, Error::Image(_)), "{error}");
    }
}

/// Discs whose pixels are `factor` times as large.
fn scaled_discs(factor: f32) -> Image {
    let flowmask::Pixels::U8(gray) = discs(100, 100).pixels().clone() else { panic!("another type") };
    Image::from_channels(gray.mapv(|v| f32::from(v) * factor).view()).unwrap()
}

/// Powers of two scale pixels and percentiles without rounding, so that nothing may differ.
#[test]
fn contrast_does_not_depend_on_the_unit_of_the_pixels() {
    let (segmenter, compat) = (segmenter(0), Options::default().compat(Compat::V3_1_1));
    let want = segmenter.segment(&scaled_discs(1.0), &Options::default()).unwrap();
    assert!(want.cells() > 10, "{} cells", want.cells());
    for exponent in [-20, -90, 60] {
        let image = scaled_discs(2f32.powi(exponent));
        assert!(segmenter.segment(&image, &Options::default()).unwrap() == want, "2 to the {exponent}");
        let original = segmenter.segment(&image, &compat).unwrap().cells();
        assert_eq!(original > 0, exponent > 0, "2 to the {exponent}: {original} cells in the original");
    }
}

#[test]
fn rounding_of_a_constant_is_no_contrast() {
    let pixels = |step: f32| {
        let value = |(y, x): (usize, usize)| 1.0 + ((y * 7 + x * 3) % 9) as f32 * step;
        Image::from_gray(Array2::from_shape_fn((60, 60), value).view()).unwrap()
    };
    let blank = segment(&pixels(0.0), &Options::default()).unwrap();
    assert!(segment(&pixels(f32::EPSILON), &Options::default()).unwrap().cellprob == blank.cellprob);
    assert!(segment(&pixels(4.0 * f32::EPSILON), &Options::default()).unwrap().cellprob != blank.cellprob);
}

#[test]
fn an_output_that_is_not_finite_is_an_error_of_its_image() {
    // Normalised, it is about 1e38.
    let mut hot = Array2::from_shape_fn((60, 70), |(y, x)| (y * x % 7) as f32 * 1e-9);
    hot[[30, 40]] = 9e29;
    let (hot, segmenter) = (Image::from_gray(hot.view()).unwrap(), segmenter(0));
    for error in [
        segmenter.segment(&hot, &Options::default()).unwrap_err(),
        segmenter.style(&hot, &Options::default()).unwrap_err(),
        segmenter.segment(&hot, &Options::default().diameter(Diameter::Auto)).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with("image: the network's output is not finite: "), "{error}");
    }
    let files = [vec![discs(60, 60)], vec![hot], vec![discs(60, 60)]];
    let loads = files.iter().map(|images| || Ok::<_, Error>(images.clone()));
    let done = std::sync::Mutex::new(Vec::new());
    segmenter
        .segment_many(loads, &Options::default(), |i, found| done.lock().unwrap().push((i, found.is_ok())))
        .unwrap();
    let mut done = done.into_inner().unwrap();
    done.sort();
    assert_eq!(done, [(0, true), (1, false), (2, true)]);
}

#[test]
fn weights_that_are_too_large_are_named_or_an_error_of_the_image() {
    let model = |factor: f32| {
        let mut params = Model::named("nuclei").unwrap().params().unwrap();
        for parameter in params.parameters().into_iter().filter(|p| p.shape.len() == 4) {
            parameter.values.iter_mut().for_each(|v| *v = v.signum() * factor);
        }
        Model::from_params("large", params, None)
    };
    let error = model(1e30).unwrap_err().to_string();
    assert!(error.starts_with("model large: tensor ") && error.contains("beyond ±1e18"), "{error}");
    let large = Segmenter::builder().model(model(1e17).unwrap()).build().unwrap();
    let error = large.segment(&discs(60, 60), &Options::default()).unwrap_err().to_string();
    assert!(error.starts_with("image: the network's output is not finite: "), "{error}");
}

/// What `CellposeModel.eval(diameter=None)` takes. A built-in model's file has another `diam_labels`.
#[test]
fn without_a_diameter_a_file_has_the_mean_of_its_training_and_a_built_in_model_its_own() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/nuclei.safetensors");
    let (named, opened) = (Model::named("nuclei").unwrap(), Model::open(file).unwrap());
    assert_eq!(named.diameter(), 17.0);
    assert_eq!(opened.diameter(), opened.diam_labels());
    assert!((opened.diameter() - 23.11).abs() < 0.01);
    let image = discs(100, 100);
    for (model, diameter) in [(named, 17.0), (opened.clone(), f64::from(opened.diam_labels()))] {
        let segmenter = Segmenter::builder().model(model).build().unwrap();
        let found = segmenter.segment(&image, &Options::default()).unwrap();
        assert_eq!(found.diameter, diameter);
        let pixels = Options::default().diameter(Diameter::Pixels(diameter));
        assert!(found == segmenter.segment(&image, &pixels).unwrap());
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
    assert_eq!(seen.last(), Some(&1.0));
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

/// Calls `progress` until the work stops, and returns how long that took after the call that stopped it, and all calls.
fn stopped(
    after: usize,
    run: impl FnOnce(&mut flowmask::Progress) -> Result<(), Error>,
) -> (Duration, Vec<Instant>) {
    let mut calls = Vec::new();
    let mut stop = |_| {
        calls.push(Instant::now());
        calls.len() < after
    };
    assert!(matches!(run(&mut stop), Err(Error::Cancelled)));
    (calls.last().unwrap().elapsed(), calls)
}

#[test]
fn one_large_tile_can_be_stopped_too() {
    // One thread takes seconds for a tile of 1024 pixels.
    let (segmenter, image) = (segmenter(1), discs(1000, 1000));
    let options = Options::default().bsize(1024);
    let whole = Instant::now();
    segmenter.segment(&image, &options).unwrap();
    let whole = whole.elapsed();
    let (rest, calls) =
        stopped(8, |progress| segmenter.segment_with_progress(&image, &options, progress).map(drop));
    // A part of the whole, since a machine that does other work is slower.
    let longest = calls.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(rest.max(longest) < whole / 4, "{rest:?} to stop, {longest:?} without a call, of {whole:?}");
}

#[test]
fn progress_of_many_files_adds_up_and_stops_them() {
    let segmenter = segmenter(2);
    let options = Options::default().bsize(96);
    let images = [discs(160, 190), discs(60, 60), discs(170, 33)];
    let loads = || images.iter().map(|image| || Ok::<_, Error>(vec![image.clone()]));
    let (mut seen, done) = (Vec::new(), Mutex::new(0));
    let mut note = |files| {
        seen.push(files);
        true
    };
    let count = |_, found: Result<(Vec<Image>, Vec<Segmentation>), Error>| {
        let found = &found.unwrap().1[0];
        assert!(found.seconds > 0.0 && found.seconds < 60.0, "{}", found.seconds);
        *done.lock().unwrap() += 1;
    };
    segmenter.segment_many_with_progress(loads(), &options, &mut note, count).unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&3.0) && seen[0] < 0.5, "{seen:?}");
    assert_eq!(done.into_inner().unwrap(), 3);

    let done = Mutex::new(Vec::new());
    let (rest, _) = stopped(3, |progress| {
        segmenter.segment_many_with_progress(loads(), &options, progress, |i, found: Result<_, Error>| {
            done.lock().unwrap().push((i, found.is_ok()));
        })
    });
    assert!(rest < Duration::from_secs(1), "{rest:?}");
    assert!(done.into_inner().unwrap().is_empty(), "the first file is not done after three tiles");
    // A run that nobody reads from ends too: a loader must not wait for its file to be taken.
    let endless = std::iter::repeat_with(|| || Ok::<_, Error>(vec![discs(20, 20)]));
    stopped(9, |progress| {
        segmenter.segment_many_with_progress(endless, &options, progress, |_, _: Result<_, _>| ())
    });
}

#[test]
fn masks_come_from_flows_alone() {
    let (segmenter, image) = (segmenter(2), discs(90, 70));
    let model = Options::default().diameter(Diameter::Pixels(17.0));
    let all = [
        // The image is not scaled, so 200 steps are taken, as without a number.
        (model.clone(), model.clone()),
        (model.clone(), model.clone().niter(Some(0))),
        (model.clone().flow_threshold(0.0).min_size(0), model.clone().flow_threshold(0.0).min_size(0)),
        (Options::default().diameter(Diameter::Pixels(13.0)), Options::default().niter(Some(152))),
        (model.clone().exclude_on_edges(true), model.clone().exclude_on_edges(true)),
    ];
    for (options, after) in &all {
        let found = segmenter.segment(&image, options).unwrap();
        assert!(found.cells() > 1);
        let mut last = 0.0;
        let mut note = |done| {
            last = done;
            true
        };
        let again = segmenter.masks_from_flows(found.flows.view(), found.cellprob.view(), after, &mut note);
        assert!(again.unwrap().masks == found.masks, "{after:?}");
        assert_eq!(last, 1.0);
    }
    let (flows, cellprob) = (Array3::zeros((2, 5, 6)), Array2::zeros((5, 6)));
    let run = |flows: &Array3<f32>, cellprob: &Array2<f32>| {
        let found = segmenter.masks_from_flows(flows.view(), cellprob.view(), &model, &mut |_| true);
        found.map(|found| found.cells()).map_err(|error| error.to_string())
    };
    assert_eq!(run(&flows, &cellprob), Ok(0));
    assert!(run(&flows, &Array2::zeros((6, 5))).unwrap_err().contains("do not belong together"));
    assert!(run(&Array3::zeros((2, 0, 6)), &Array2::zeros((0, 6))).unwrap_err().contains("empty"));
    assert!(run(&flows, &Array2::from_elem((5, 6), f32::NAN)).unwrap_err().contains("NaN"));
    let stopped = segmenter.masks_from_flows(flows.view(), cellprob.view(), &model, &mut |_| false);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn segmenters_share_a_pool() {
    let pool = flowmask::Pool::new(3).unwrap();
    let build = || Segmenter::builder().model(Model::named("nuclei").unwrap()).pool(&pool).build().unwrap();
    let (first, second) = (build(), build());
    assert_eq!((first.threads(), second.threads(), pool.threads()), (3, 3, 3));
    let (image, options) = (discs(90, 70), Options::default());
    let want = segment(&image, &options).unwrap();
    drop(pool);
    std::thread::scope(|scope| {
        for segmenter in [&first, &second] {
            scope.spawn(|| assert!(segmenter.segment(&image, &options).unwrap() == want));
        }
    });
}

#[test]
#[cfg(unix)]
fn a_child_process_gets_an_error_and_can_open_its_own() {
    let (segmenter, image) = (segmenter(2), discs(40, 40));
    let want = segmenter.segment(&image, &Options::default()).unwrap();
    // SAFETY: the child uses only what this thread holds, and ends without leaving this function.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no child");
    if child == 0 {
        let forked = |error| matches!(error, Err(Error::Forked));
        let options = Options::default();
        let refused = forked(segmenter.segment(&image, &options).map(drop))
            && forked(segmenter.style(&image, &options).map(drop))
            && forked(segmenter.segment_many(
                [|| Ok::<_, Error>(vec![discs(9, 9)])],
                &options,
                |_, _: Result<_, Error>| (),
            ));
        drop(segmenter);
        let own = crate::segmenter(2).segment(&image, &options).is_ok_and(|found| found == want);
        // SAFETY: this ends the process at once.
        unsafe { libc::_exit(i32::from(!refused) + 2 * i32::from(!own)) };
    }
    let (start, mut status) = (Instant::now(), 0);
    // SAFETY: the child is a process of this test.
    while unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == 0 {
        if start.elapsed() > Duration::from_secs(60) {
            // SAFETY: as above.
            unsafe { libc::kill(child, libc::SIGKILL) };
            panic!("the child hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(libc::WIFEXITED(status), "status {status}");
    assert_eq!(libc::WEXITSTATUS(status), 0, "1: no error in the child; 2: its own segmenter does not work");
    assert!(segmenter.segment(&image, &Options::default()).unwrap() == want);
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

/// The original fails there. Cells of 5 by 5 pixels, whose flows point to their centres.
#[test]
fn more_cells_than_16_bits_can_number_are_found() {
    const SIDE: usize = 6 * 260;
    let offset = |i: usize| 2.0 - (i % 6) as f32;
    let inside = |(y, x): (usize, usize)| y % 6 < 5 && x % 6 < 5;
    let cellprob = Array2::from_shape_fn((SIDE, SIDE), |at| if inside(at) { 6.0 } else { -6.0 });
    let flows = Array3::from_shape_fn((2, SIDE, SIDE), |(axis, y, x)| {
        let way = offset(if axis == 0 { y } else { x });
        if inside((y, x)) { 5.0 * way.clamp(-1.0, 1.0) } else { 0.0 }
    });
    let options = Options::default().flow_threshold(0.0);
    let found =
        segmenter(0).masks_from_flows(flows.view(), cellprob.view(), &options, &mut |_| true).unwrap();
    assert_eq!(found.cells(), 260 * 260);
    assert_eq!(found.masks.iter().copied().max(), Some(260 * 260));
    #[cfg(feature = "files")]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masks.tif");
        flowmask::output::save_labels(&path, &[found.masks.view()], flowmask::output::Format::Tif).unwrap();
        assert_eq!(flowmask::image::read_labels(&path).unwrap(), found.masks);
    }
}
