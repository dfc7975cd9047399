//! Volumes on the CPU against golden outputs of cellpose 3.1.1, stage by stage and in whole runs.

mod common;

use common::{Array, Golden, assert_close, cells, same_partition};
use flowmask::cpu::volume::{cluster, components, flow_error, follow, parts};
use flowmask::{Compat, Diameter, Error, Image, Model, Options, Sampling, Segmenter};
use ndarray::{Array2, Array3, Array4, ArrayView3, s};

/// The flows of the golden file, `[3, depth, height, width]`: it has only those inside of cells.
fn flows(inside: &[f32], golden: &Golden) -> Vec<f32> {
    let mut flows = vec![0.0; 3 * inside.len()];
    let places = (0..flows.len()).filter(|i| inside[i % inside.len()] > 0.0).collect::<Vec<_>>();
    places.into_iter().zip(golden.f32("dP_inside")).for_each(|(i, flow)| flows[i] = flow);
    flows
}

fn size(array: &Array) -> [usize; 3] {
    array.shape.clone().try_into().unwrap()
}

#[test]
fn from_flows_to_masks() {
    let golden = Golden::open("volume_stages");
    let (inside, size) = (golden.f32("inside"), size(golden.get("inside")));
    let flows = flows(&inside, &golden);
    // The end points of every so many voxels are there. They are the same bit by bit.
    for (sampling, key, every) in
        [(Sampling::Nearest, "p_interp0", 32), (Sampling::GridSample, "p_interp1", 4)]
    {
        let points = follow::follow(&flows, &inside, size, 0.0, 200, sampling);
        let ends: Vec<_> = points.ends.iter().step_by(every).collect();
        let want = golden.f32(key);
        assert_eq!(3 * ends.len(), want.len());
        let differ = |i: &usize| (0..3).any(|axis| ends[*i][axis] != want[axis * ends.len() + i]);
        assert_eq!((0..ends.len()).filter(differ).count(), 0, "{key}: of {} end points", ends.len());
        if sampling == Sampling::GridSample {
            let mut labels = cluster::cluster(&points, size, 0.4);
            assert_eq!(cells(&labels), 59);
            assert!(labels == golden.u32("masks_raw"));
            // These masks have no holes, and none is small.
            components::fill_holes_and_drop_small(&mut labels, size, 60, Compat::V3_1_1);
            assert!(labels == golden.u32("masks_raw"));
        }
    }
}

/// The same from the caller's flows, by the library; and what is no volume.
#[test]
fn masks_from_flows() {
    let golden = Golden::open("volume_stages");
    let (inside, size) = (golden.f32("inside"), size(golden.get("inside")));
    let [depth, height, width] = size;
    let flows = Array4::from_shape_vec((3, depth, height, width), flows(&inside, &golden)).unwrap();
    let cellprob = Array3::from_shape_vec(size, inside).unwrap();
    let (segmenter, mut parts) = (nuclei(), Vec::new());
    let mut progress = |part| {
        parts.push(part);
        true
    };
    let options = options().niter(Some(200));
    let found = segmenter.masks_from_flows_volume(flows.view(), cellprob.view(), &options, &mut progress);
    let found = found.unwrap();
    assert!(found.masks.iter().copied().eq(golden.u32("masks_raw")));
    assert!(found.flows.is_empty() && found.cellprob.is_empty() && found.style.is_empty());
    assert!(parts.is_sorted() && parts.len() > 4 && parts.last() == Some(&1.0), "{parts:?}");
    let checked = options.clone().anisotropy(2.0).flow3d_threshold(1.0);
    let run = |flows: &Array4<f32>, cellprob: ArrayView3<f32>, options: &Options| {
        segmenter.masks_from_flows_volume(flows.view(), cellprob, options, &mut |_| true)
    };
    assert_eq!(cells(run(&flows, cellprob.view(), &checked).unwrap().masks.as_slice().unwrap()), 39);

    let error = |flows: &Array4<f32>, cellprob: ArrayView3<f32>, options: &Options| {
        run(flows, cellprob, options).unwrap_err().to_string()
    };
    let said = error(&flows, cellprob.slice(s![1.., .., ..]), &options);
    assert!(said.contains("do not belong together"), "{said}");
    let said = error(&Array4::zeros((3, 1, 9, 9)), Array3::zeros((1, 9, 9)).view(), &options);
    assert!(said.contains("fewer than two planes"), "{said}");
    let said = error(&flows, cellprob.view(), &options.clone().memory(Some(20 << 20)));
    assert!(said.contains("26 planes of 104 by 120 pixels needs"), "{said}");
    let mut broken = flows.clone();
    broken[[2, 3, 4, 5]] = f32::NAN;
    assert!(error(&broken, cellprob.view(), &options).contains("NaN"));
    let mut stop = |_| false;
    let stopped = segmenter.masks_from_flows_volume(flows.view(), cellprob.view(), &options, &mut stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

/// Of 20 of the cells, the original leaves four tenths of the voxels out, since their walks swing to and fro between two ends: the
/// check drops these masks and no other, and a mask whose flows point outwards.
#[test]
fn flow_check() {
    let golden = Golden::open("volume_stages");
    let (inside, size) = (golden.f32("inside"), size(golden.get("inside")));
    let (mut flows, labels) = (flows(&inside, &golden), golden.u32("masks_raw"));
    let left = |flows: &[f32], anisotropy: f64, threshold: f64| {
        let mut left = labels.clone();
        flow_error::drop_bad_flows(&mut left, size, flows, anisotropy, threshold);
        left
    };
    for threshold in [0.6, 1.0, 1.5] {
        let whole = left(&flows, 2.0, threshold);
        assert_eq!(cells(&whole), 39, "{threshold}");
        let mut parts = whole.clone();
        parts::keep_largest_parts(&mut parts, size);
        assert!(parts == whole, "{threshold}");
    }
    let errors = flow_error::flow_errors(&labels, size, &flows);
    assert_eq!(errors.iter().filter(|error| **error < 0.5).count(), 39);
    assert_eq!(errors.iter().filter(|error| **error > 3.0).count(), 20);
    (0..flows.len()).filter(|i| labels[i % labels.len()] == 1).for_each(|i| flows[i] = -flows[i]);
    for anisotropy in [1.0, 2.0] {
        let whole = left(&flows, anisotropy, 1.0);
        assert_eq!(cells(&whole), 38);
        assert!(whole.iter().zip(&labels).all(|(whole, &label)| label != 1 || *whole == 0));
    }
}

/// The built-in cyto as if it were made for cells of 17 pixels, as the first model is.
fn ortho() -> Model {
    let mut params = Model::named("cyto").unwrap().params().unwrap();
    let diameter = params.others.get_mut("diam_mean").unwrap();
    diameter.data.fill(17.0);
    Model::from_params("cyto17", params, None).unwrap()
}

#[test]
fn a_second_model_sees_the_planes_across_y_and_x() {
    let golden = Golden::open("ortho");
    let array = Golden::open("volume").get("stack").clone();
    let shape: [usize; 3] = size(&array);
    let stack = ndarray::Array3::from_shape_vec(shape, array.f32()).unwrap();
    let corner = stack.slice(ndarray::s![.., ..64, ..72]);
    let planes: Vec<Image> = corner.outer_iter().map(|plane| Image::from_gray(plane).unwrap()).collect();
    let options = Options::default().diameter(Diameter::Pixels(17.0)).anisotropy(2.0).min_size(60);
    let options = options.compat(Compat::V3_1_1);
    for (tag, second) in [("one", None), ("two", Some(ortho()))] {
        let mut builder = Segmenter::builder().model(Model::named("nuclei").unwrap());
        if let Some(second) = second {
            builder = builder.model_ortho(second);
        }
        let found = builder.build().unwrap().segment_volume(&planes, &options).unwrap();
        let masks = found.masks.as_slice().unwrap();
        let want = golden.u32(&format!("{tag}_masks"));
        assert!(same_partition(masks, &want) >= 0.999 && cells(masks) == cells(&want), "{tag}");
        let cellprob = found.cellprob.slice(ndarray::s![..;5, ..;9, ..;9]);
        let cellprob: Vec<f32> = cellprob.iter().copied().collect();
        assert_close(tag, &cellprob, &golden.f32(&format!("{tag}_cellprob")), 1e-4, 1e-4);
        let style: Vec<f32> = found.style.outer_iter().step_by(40).flatten().copied().collect();
        assert_close(tag, &style, &golden.f32(&format!("{tag}_style")), 1e-5, 1e-5);
    }
    assert!(golden.u32("one_masks") != golden.u32("two_masks"));
}

#[test]
fn holes() {
    let golden = Golden::open("volume_stages");
    let size = size(golden.get("holes_in"));
    for (name, min_size) in [("holes_min15", 15), ("holes_min-1", 0)] {
        let mut labels = golden.u32("holes_in");
        components::fill_holes_and_drop_small(&mut labels, size, min_size, Compat::V3_1_1);
        assert!(labels == golden.u32(name), "{name}");
    }
}

/// Twelve voxels each, without a gap: far more cells than the original's 16 bits can number. It takes some seconds, since a
/// million cells need twelve million voxels.
#[test]
fn a_million_cells() {
    let size = [200, 200, 300];
    let place = |i: usize| [i / (200 * 300), i / 300 % 200, i % 300];
    let cell = [2, 2, 3];
    let n = size.iter().product();
    // One step leads from each voxel to the first of its cell.
    let step = |axis: usize, i: usize| -5.0 * (place(i)[axis] % cell[axis]) as f32;
    let flows: Vec<f32> = (0..3).flat_map(|axis| (0..n).map(move |i| step(axis, i))).collect();
    let points = follow::follow(&flows, &vec![1.0; n], size, 0.0, 9, Sampling::Nearest);
    drop(flows);
    let mut labels = cluster::cluster(&points, size, 0.4);
    drop(points);
    components::fill_holes_and_drop_small(&mut labels, size, 12, Compat::None);
    let number = |[z, y, x]: [usize; 3]| (z / 2 * 100 + y / 2) * 100 + x / 3 + 1;
    assert_eq!((0..n).find(|&i| labels[i] as usize != number(place(i))), None);
    assert_eq!(labels.iter().max(), Some(&1_000_000));
}

/// The planes of the golden stack.
fn planes(golden: &Golden) -> Vec<Image> {
    let stack = golden.get("stack");
    let size = stack.size();
    let plane = |values: &[f64]| {
        let pixels = values.iter().map(|&value| value as u8).collect();
        Image::from_gray(Array2::<u8>::from_shape_vec(size, pixels).unwrap().view()).unwrap()
    };
    stack.values.chunks_exact(size.0 * size.1).map(plane).collect()
}

fn nuclei() -> Segmenter {
    Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap()
}

fn options() -> Options {
    Options::default().diameter(Diameter::Pixels(17.0)).min_size(60).compat(Compat::V3_1_1)
}

/// Runs of the original, with the arguments of `tools/golden/volume.py` and `stitch.py`. Each takes some seconds, since it is a whole stack.
fn runs(golden: &Golden, runs: &[(&str, Options)]) {
    let (planes, segmenter) = (planes(golden), nuclei());
    for (tag, options) in runs {
        let found = segmenter.segment_volume(&planes, options).unwrap();
        let want = golden.u32(&format!("{tag}_masks"));
        let same = same_partition(found.masks.as_slice().unwrap(), &want);
        println!(
            "{tag}: {:.4} % of the voxels, {} cells, golden {}",
            100.0 * same,
            found.cells(),
            cells(&want)
        );
        assert!(same >= 0.999 && found.cells() == cells(&want), "{tag}");
        if *tag == "smooth" {
            // Smoothing comes after the network.
            let styles: Vec<f32> = found.style.rows().into_iter().step_by(40).flatten().copied().collect();
            assert_close("style", &styles, &golden.f32("aniso_style"), 1e-4, 1e-3);
        }
    }
}

#[test]
fn whole_runs() {
    let golden = Golden::open("volume");
    let aniso = || options().anisotropy(2.0);
    let smooth = aniso().flow3d_smooth([2.0; 3]);
    let scaled = aniso().diameter(Diameter::Pixels(22.0));
    runs(&golden, &[("iso", options()), ("smooth", smooth), ("scaled", scaled)]);
}

/// A small stack of copies that drift and fade.
#[test]
fn whole_runs_of_a_small_stack() {
    let options = || options().min_size(50);
    let smooth = options().flow3d_smooth([1.0; 3]);
    runs(&Golden::open("stitch"), &[("stack_3d", options().anisotropy(1.5)), ("stack_3d_smooth", smooth)]);
}

#[test]
#[ignore = "takes a minute, most of it for test-time augmentation: .ci/run runs it"]
fn long_whole_runs() {
    let golden = Golden::open("volume");
    let aniso = || options().anisotropy(2.0);
    runs(&golden, &[("aniso", aniso()), ("augment", aniso().augment(true))]);
}

/// A corner of the golden stack, which takes a second.
fn corner() -> Vec<Image> {
    let corner = |plane: &Image| {
        let pixels = plane.pixels().to_f32();
        Image::from_gray(pixels.slice(ndarray::s![..40, ..48, 0])).unwrap()
    };
    planes(&Golden::open("volume"))[..12].iter().map(corner).collect()
}

#[test]
fn threads_and_batches_change_nothing_and_options_something() {
    let planes = corner();
    let options = options().min_size(15).compat(Compat::None).anisotropy(2.0);
    let one = Segmenter::builder().model(Model::named("nuclei").unwrap()).threads(1).build().unwrap();
    let want = one.segment_volume(&planes, &options).unwrap();
    assert!(want.cells() > 3, "{}", want.cells());
    assert_eq!((want.masks.dim(), want.flows.dim()), ((12, 40, 48), (3, 12, 40, 48)));
    assert_eq!((want.cellprob.dim(), want.style.dim()), ((12, 40, 48), (48, 256)));
    let three = Segmenter::builder().model(Model::named("nuclei").unwrap()).threads(3).build().unwrap();
    for batch in [1, 5, 200] {
        let found = three.segment_volume(&planes, &options.clone().batch_size(Some(batch))).unwrap();
        assert_eq!(found, want, "{batch} tiles");
    }
    let inner = three.segment_volume(&planes, &options.clone().exclude_on_edges(true)).unwrap();
    assert!(inner.cells() < want.cells());
    let coarse = three.segment_volume(&planes, &options.clone().resample(false)).unwrap();
    assert_eq!((coarse.masks.dim(), coarse.cellprob.dim()), ((12, 40, 48), (24, 40, 48)));
    assert_eq!(coarse.cells(), want.cells());
    let bare = three.segment_volume(&planes, &options.flows(false)).unwrap();
    assert_eq!((bare.flows.len(), bare.cellprob.len(), &bare.masks), (0, 0, &want.masks));
}

#[test]
fn progress_covers_all_orientations_and_a_stop_is_an_error() {
    let (planes, segmenter) = (corner(), nuclei());
    let mut seen = Vec::new();
    let mut note = |done| {
        seen.push(done);
        true
    };
    segmenter.segment_volume_with_progress(&planes, &options(), &mut note).unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&1.0), "{seen:?}");
    // A tile for each of 12 + 40 + 48 planes.
    let steps = seen.windows(2).filter(|pair| pair[0] < pair[1] && pair[1] <= 0.9);
    assert!(steps.count() >= 60, "{seen:?}");
    for stop in [0.1, 0.5, 0.93] {
        let found = segmenter.segment_volume_with_progress(&planes, &options(), &mut |done| done < stop);
        assert!(matches!(found, Err(Error::Cancelled)), "{stop}");
    }
}

#[test]
fn what_is_no_volume_is_an_error_of_one_sentence() {
    let (planes, segmenter) = (corner(), nuclei());
    let error = |planes: &[Image], options: &Options| {
        let error = segmenter.segment_volume(planes, options).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        error
    };
    let of_image = |planes: &[Image], words: &str| match error(planes, &options()) {
        Error::Image(reason) => assert!(reason.contains(words), "{reason}"),
        other => panic!("{other}"),
    };
    of_image(&planes[..1], "two planes");
    of_image(&[], "two planes");
    let mut other = planes.clone();
    other[3] = Image::from_gray(Array2::<u8>::zeros((40, 47)).view()).unwrap();
    of_image(&other, "plane 3 has 40 by 47");
    let mut pixels = planes[5].pixels().to_f32();
    pixels[[7, 9, 0]] = f32::NAN;
    other = planes.clone();
    other[5] = Image::from_channels(pixels.view()).unwrap();
    of_image(&other, "in plane 5, the pixel at row 7, column 9");
    for (options, name) in [
        (options().anisotropy(0.0), "anisotropy"),
        (options().anisotropy(-2.0), "anisotropy"),
        (options().anisotropy(f64::NAN), "anisotropy"),
        (options().flow3d_smooth([1.0, -1.0, 0.0]), "flow3d_smooth"),
        (options().diameter(Diameter::Auto), "diameter"),
    ] {
        assert!(
            matches!(error(&planes, &options), Error::Option { name: found, .. } if found == name),
            "{name}"
        );
    }
    let small = error(&planes, &options().memory(Some(50 << 20)));
    assert!(matches!(small, Error::Memory { needed, .. } if needed > 50 << 20), "{small}");
    let huge = error(&planes, &options().anisotropy(100.0).diameter(Diameter::Pixels(0.01)));
    assert!(matches!(huge, Error::Image(_) | Error::Memory { .. }), "{huge}");
}
