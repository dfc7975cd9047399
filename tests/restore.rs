//! Restoration against golden outputs of cellpose 3.1.1 with small networks of random weights, and what follows from them.

mod common;

use common::{Golden, data, same_partition};
use flowmask::{Builder, Compat, Diameter, Error, Image, Model, Normalize, Options, Restorer, Segmenter};
use ndarray::{Array2, Array3, array, s};

/// Every so many rows and columns of a restored image are in the golden file.
const STEP: usize = 7;

/// A model for cells of 30 pixels: so many the original takes for every network that it does not know, whatever its file says.
fn model(file: &str, name: &str) -> Model {
    let model = Model::from_bytes(name, &std::fs::read(data(&format!("models/{file}"))).unwrap()).unwrap();
    let mut params = model.params().unwrap();
    params.others.get_mut("diam_mean").unwrap().data.fill(30.0);
    Model::from_params(name, params, None).unwrap()
}

/// The network of a run, which enlarges if its name says so, as in the original.
fn first(name: &str) -> Restorer {
    Builder::default().model(model("tiny_1in_1out.pth", name)).restorer().unwrap()
}

fn second(name: &str) -> Restorer {
    Builder::default().model(model("tiny_restore.safetensors", name)).restorer().unwrap()
}

/// A corner of the nuclei. The second channel is turned upside down.
fn image() -> Image {
    let image = Image::open(data("nuclei.png")).unwrap();
    let mut pixels = image.pixels().to_f32().slice_move(s![..150, ..170, ..]);
    let turned = pixels.slice(s![..;-1, .., 1]).to_owned();
    pixels.slice_mut(s![.., .., 1]).assign(&turned);
    Image::from_channels(pixels.mapv(|v| v as u8).view()).unwrap()
}

fn options(diameter: f64, channels: [usize; 2]) -> Options {
    Options::default().diameter(Diameter::Pixels(diameter)).channels(channels)
}

fn values(image: &Image) -> Array3<f32> {
    image.pixels().to_f32()
}

/// Compares an image with every so many pixels of the original's. `largest` is the largest value of the network's output.
fn assert_restored(restored: &Image, golden: &Golden, tag: &str) {
    let restored = values(restored).slice_move(s![..;STEP, ..;STEP, ..]);
    let want = golden.get(tag);
    assert_eq!(restored.shape(), want.shape, "{tag}");
    let spread = want.values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let off = restored.iter().zip(&want.values).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(off < 1e-5 * (1.0 + spread), "{tag}: {off:e} of {spread}");
}

#[test]
fn images_are_restored_as_by_the_original() {
    let golden = Golden::open("restore");
    let image = image();
    let normalize = Normalize::default();
    for (tag, options) in [
        ("mean", options(30.0, [0, 0])),
        ("none", Options::default().channels([2, 0])),
        ("larger", options(17.0, [1, 0])),
        ("smaller", options(50.0, [1, 0])),
        ("two", options(40.0, [1, 2])),
        ("tiles", options(25.0, [1, 0]).bsize(96).tile_overlap(0.3)),
        ("invert", options(30.0, [1, 0]).normalize(normalize.invert(true))),
        ("percentile", options(30.0, [1, 0]).normalize(normalize.percentile([5.0, 90.0]))),
        ("raw", options(30.0, [1, 0]).normalize(normalize.enabled(false))),
        ("upsample", options(20.0, [1, 2])),
        ("upsample_large", options(35.0, [1, 0])),
    ] {
        assert_restored(&first(tag).restore(&image, &options).unwrap(), &golden, tag);
    }
}

/// The original loads a second network and then gives the second channel to the first one; here it works.
#[test]
fn the_second_channel_has_its_own_network() {
    let golden = Golden::open("restore");
    let image = image();
    let (one, two) = (model("tiny_1in_1out.pth", "one"), model("tiny_restore.safetensors", "two"));
    let restorer = Builder::default().model(one).model_chan2(two).restorer().unwrap();
    let options = options(40.0, [1, 2]);
    let both = values(&restorer.restore(&image, &options).unwrap());
    let channel = |c: usize| Image::from_channels(both.slice(s![.., .., c..c + 1])).unwrap();
    assert_restored(&channel(1), &golden, "two_second");
    let alone = first("one").restore(&image, &options).unwrap();
    assert_eq!(values(&channel(0)), values(&alone).slice(s![.., .., 0..1]));
    // The bug of the original.
    assert_eq!(restorer.restore(&image, &options.compat(Compat::V3_1_1)).unwrap(), alone);
}

fn segmenter() -> Segmenter {
    Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap()
}

/// At least 99.9 % of the pixels are in the same cell, and there are as many.
fn assert_same(masks: &[u32], golden: &Golden, tag: &str) {
    let want = golden.u32(tag);
    assert!(want.iter().any(|label| *label > 3), "{tag}");
    assert!(same_partition(masks, &want) >= 0.999, "{tag}");
    assert_eq!(common::cells(masks), common::cells(&want), "{tag}");
}

#[test]
fn what_was_restored_is_segmented_as_by_the_original() {
    let golden = Golden::open("restore");
    let (image, segmenter) = (image(), segmenter());
    for (tag, options) in [("larger", options(17.0, [1, 0])), ("upsample", options(20.0, [1, 2]))] {
        let options = options.compat(Compat::V3_1_1);
        let restorer = second(tag);
        let restored = restorer.restore(&image, &options).unwrap();
        let found = segmenter.segment(&restored, &restorer.options(&options)).unwrap();
        assert_same(found.masks.as_slice().unwrap(), &golden, &format!("{tag}_masks"));
        let (masks, cells) = Restorer::masks_at(&[found.masks.view()], image.size());
        assert_eq!((masks[0].dim(), cells as usize), (image.size(), found.cells()));
    }
}

/// A corner of the golden stack, whose planes fade.
fn stack() -> Vec<Image> {
    let golden = Golden::open("volume");
    let stack = golden.get("stack");
    let (height, width) = stack.size();
    let plane = |z: usize| {
        let pixel = |(y, x)| (stack.values[((6 + z) * height + y) * width + x] as u16) * (10 - z as u16);
        Image::from_gray(Array2::from_shape_fn((64, 72), pixel).view()).unwrap()
    };
    (0..8).map(plane).collect()
}

/// The percentiles are those of all planes, also where they were enlarged before.
#[test]
fn stacks_are_restored_as_by_the_original() {
    let (golden, stack) = (Golden::open("restore_stack"), stack());
    let options = options(17.0, [0, 0]);
    let normalize = Normalize::default();
    let planes = options.clone().normalize(normalize.norm3d(false));
    let blocks = options.clone().normalize(normalize.tile_norm_blocksize(40).sharpen_radius(3.0));
    let blocks = blocks.compat(Compat::V3_1_1);
    for (tag, options) in [
        ("stack", &options),
        ("stack_planes", &planes),
        ("stack_blocks", &blocks),
        ("stack_upsample", &options),
    ] {
        let restored = second(tag).restore_volume(&stack, options).unwrap();
        let want = golden.get(tag);
        let kept = restored.iter().step_by(3).map(|plane| values(plane).slice_move(s![..;STEP, ..;STEP, ..]));
        let kept: Vec<f32> = kept.flatten().collect();
        assert_eq!(kept.len(), want.values.len(), "{tag}");
        let off = kept.iter().zip(&want.values).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-4, "{tag}: {off:e}");
    }
    // Planes of their own are images of their own.
    let alone = second("one").restore(&stack[5], &planes).unwrap();
    assert_eq!(second("one").restore_volume(&stack, &planes).unwrap()[5], alone);
    assert_ne!(second("one").restore_volume(&stack, &options).unwrap()[5], alone);
}

/// It takes some seconds, since it is three whole runs of a stack.
#[test]
fn restored_stacks_are_segmented_as_by_the_original() {
    let (golden, stack, segmenter) = (Golden::open("restore_stack"), stack(), segmenter());
    let options = options(12.0, [0, 0]).compat(Compat::V3_1_1);
    let of = |tag: &str, options: &Options| {
        let restorer = second(tag);
        (restorer.restore_volume(&stack, options).unwrap(), restorer.options(options))
    };
    let (restored, after) = of("stitched", &options);
    let found = segmenter.segment_stack(restored, 0.25, &after, &mut |_| true).unwrap();
    let masks: Vec<u32> = found.iter().flat_map(|found| &found.masks).copied().collect();
    assert_same(&masks, &golden, "stitched_masks");
    for tag in ["volume", "upsample_volume"] {
        let (restored, after) = of(tag, &options.clone().min_size(60));
        let found = segmenter.segment_volume(&restored, &after).unwrap();
        assert_same(found.masks.as_slice().unwrap(), &golden, &format!("{tag}_masks"));
    }
}

#[test]
fn steps_and_channels_of_one_image() {
    let (image, restorer) = (image(), first("any"));
    let restore = |options: &Options| values(&restorer.restore(&image, options).unwrap());
    let plain = options(30.0, [1, 2]);
    let usual = restore(&plain);
    let normalize = Normalize::default();
    for changed in [
        normalize.sharpen_radius(4.0),
        normalize.smooth_radius(1.0),
        normalize.tile_norm_blocksize(50),
        normalize.lowhigh(Some([[10.0, 90.0]; 2])),
    ] {
        assert_ne!(restore(&plain.clone().normalize(changed)), usual, "{changed:?}");
    }
    // The second channel has intensities of its own.
    let range = |of: [[f64; 2]; 2], channels: [usize; 2]| {
        restore(&options(30.0, channels).normalize(normalize.lowhigh(Some(of))))
    };
    let (one, other) = ([10.0, 90.0], [0.0, 50.0]);
    let both = range([one, other], [1, 2]);
    assert_eq!(both.slice(s![.., .., 1]), range([other; 2], [1, 2]).slice(s![.., .., 1]));
    assert_eq!(both.slice(s![.., .., 0]), range([one; 2], [1, 2]).slice(s![.., .., 0]));
    assert_ne!(both.slice(s![.., .., 1]), range([one; 2], [1, 2]).slice(s![.., .., 1]));
    // All channels are the first two, of an image that has no more.
    let two = Image::from_channels(values(&image).slice(s![.., .., ..2])).unwrap();
    let all = options(30.0, [0, 0]).all_channels(true);
    assert_eq!(values(&restorer.restore(&two, &all).unwrap()), usual);
    assert!(matches!(restorer.restore(&image, &all), Err(Error::Image(_))));
}

#[test]
fn the_options_that_follow() {
    let given = options(10.0, [2, 3])
        .normalize(Normalize::default().percentile([5.0, 95.0]).invert(true))
        .anisotropy(2.0)
        .min_size(40);
    let plain = Options::default().channels([1, 2]).anisotropy(2.0).min_size(40);
    assert_eq!(first("denoise").options(&given), plain.clone().diameter(Diameter::Pixels(10.0)));
    // Enlarged three times, its planes are three times farther apart.
    let enlarged = plain.clone().diameter(Diameter::Pixels(30.0));
    assert_eq!(first("upsample_cyto3").options(&given), enlarged.clone().anisotropy(6.0));
    let original = given.clone().compat(Compat::V3_1_1);
    let inverted = Normalize::default().invert(true);
    assert_eq!(
        first("upsample_cyto3").options(&original),
        enlarged.compat(Compat::V3_1_1).normalize(inverted)
    );
    assert_eq!(first("denoise").options(&options(10.0, [0, 0])).channels, [0, 0]);
    assert_eq!(first("denoise").options(&options(10.0, [3, 0])).channels, [1, 0]);
    // The original knows these diameters by the names.
    assert_eq!(
        (first("x/denoise_nuclei").diam_mean(), first("cellpose:oneclick_cyto3").diam_mean()),
        (17.0, 30.0)
    );
    assert_eq!(first("upsample_nuclei").ratio(&options(10.0, [0, 0])), 1.7);
    assert_eq!(first("upsample_nuclei").ratio(&options(2.9, [0, 0])), 1.0);
    assert_eq!(first("upsample/denoise_cyto3").ratio(&options(10.0, [0, 0])), 1.0);
}

#[test]
fn threads_batches_and_progress_change_nothing() {
    let (image, options) = (image(), options(12.0, [1, 2]));
    let restored = first("upsample").restore(&image, &options).unwrap();
    let one = Builder::default().model(model("tiny_1in_1out.pth", "upsample")).threads(1).restorer().unwrap();
    let mut seen = vec![];
    let mut progress = |part: f64| {
        seen.push(part);
        true
    };
    let again =
        one.restore_with_progress(&image, &options.clone().batch_size(Some(3)), &mut progress).unwrap();
    assert_eq!(again, restored);
    assert!(seen.len() > 10 && seen.is_sorted() && *seen.last().unwrap() == 1.0, "{seen:?}");
    let cancelled = one.restore_with_progress(&image, &options, &mut |part| part < 0.4);
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert_eq!(one.restore(&image, &options).unwrap(), restored);
}

#[test]
fn a_channel_without_contrast_becomes_zeros() {
    let mut pixels = image().pixels().to_f32();
    pixels.slice_mut(s![.., .., 1]).fill(3.0);
    let image = Image::from_channels(pixels.view()).unwrap();
    let restored = values(&first("any").restore(&image, &options(30.0, [1, 2])).unwrap());
    assert!(restored.slice(s![.., .., 1]).iter().all(|v| *v == 0.0));
    assert!(restored.slice(s![.., .., 0]).iter().any(|v| *v != 0.0));
}

#[test]
fn what_cannot_be_restored_is_told() {
    let image = image();
    let restorer = first("upsample");
    let fails = |image: &Image, options: Options| restorer.restore(image, &options).unwrap_err();
    let error = fails(&image, Options::default().diameter(Diameter::Auto));
    assert!(matches!(error, Error::Option { name: "diameter", .. }), "{error}");
    assert!(matches!(fails(&image, options(30.0, [4, 0])), Error::Image(_)));
    assert!(matches!(fails(&image, options(30.0, [1, 0]).bsize(100)), Error::Option { name: "bsize", .. }));
    let little = fails(&image, options(3.0, [1, 0]).memory(Some(30_000_000)));
    assert!(matches!(little, Error::Memory { .. }), "{little}");
    let nan = Image::from_gray(array![[1.0_f32, f32::NAN]].view()).unwrap();
    assert!(matches!(fails(&nan, options(30.0, [0, 0])), Error::Image(_)));
    let mut planes = stack();
    let said =
        |planes: &[Image]| restorer.restore_volume(planes, &options(30.0, [0, 0])).unwrap_err().to_string();
    planes[3] = Image::from_gray(Array2::<f32>::from_elem((64, 72), f32::NAN).view()).unwrap();
    assert!(said(&planes).contains("in plane 3"), "{}", said(&planes));
    planes[3] = nan;
    assert!(said(&planes).contains("plane 3 has 1 by 2"), "{}", said(&planes));
    assert!(restorer.restore_volume([], &options(30.0, [0, 0])).unwrap().is_empty());
    // Networks that do something else.
    let of = |model: Model| Builder::default().model(model);
    let error = of(Model::named("nuclei").unwrap()).restorer().err().unwrap();
    assert!(
        matches!(&error, Error::Model { .. }) && error.to_string().contains("restores no images"),
        "{error}"
    );
    let tiny = || model("tiny_1in_1out.pth", "tiny");
    let error = of(tiny()).model_chan2(Model::named("cyto").unwrap()).restorer().err().unwrap();
    assert!(error.to_string().contains("cyto"), "{error}");
    let error = of(tiny()).build().err().unwrap();
    assert!(error.to_string().contains("`flowmask restore`"), "{error}");
    assert!(Builder::default().restorer().is_err());
    // Second models that are not used.
    let cyto = || Model::named("cyto").unwrap();
    let error = of(tiny()).model_ortho(cyto()).restorer().err().unwrap();
    assert!(matches!(error, Error::Option { name: "model_ortho", .. }), "{error}");
    let error = of(cyto()).model_chan2(tiny()).build().err().unwrap();
    assert!(matches!(error, Error::Option { name: "model_chan2", .. }), "{error}");
}

#[test]
fn masks_at_another_size_are_numbered_anew() {
    let mut masks = Array2::zeros((6, 9));
    masks[[1, 1]] = 1;
    masks.slice_mut(s![3..6, 3..9]).fill(2);
    let other = Array2::from_elem((6, 9), 2_u32);
    let (small, cells) = Restorer::masks_at(&[masks.view(), other.view()], (2, 3));
    assert_eq!((small[0].clone(), cells), (array![[0, 0, 0], [0, 1, 1]], 1));
    assert_eq!(small[1], Array2::from_elem((2, 3), 1));
}
