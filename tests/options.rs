//! Options of the network's input against golden outputs of cellpose 3.1.1, and what they do beside each other.

mod common;

use common::{Golden, assert_close, assert_same_masks, data};
use flowmask::cpu::{normalize, sharpen, tile_norm};
use flowmask::model::params::Layer;
use flowmask::{
    Compat, Diameter, Error, Image, Model, Normalize, Options, Segmentation, Segmenter, VolumeSegmentation,
};
use ndarray::{Array2, Array3, Axis, s};

/// Every eighth row of a plane, `[height, width, nchan]`.
fn rows(plane: &[f32], length: usize) -> Vec<f32> {
    plane.chunks_exact(length).step_by(8).flatten().copied().collect()
}

#[test]
fn lowhigh() {
    let golden = Golden::open("transforms");
    let (height, width) = golden.get("norm_f32_in").size();
    let mut pixels = golden.f32("norm_f32_in");
    let options = Normalize::default().lowhigh(Some([[1.0, 12.0]; 2]));
    normalize::normalize(&mut pixels, height, width, 1, &options, Compat::None);
    assert_close("lowhigh", &pixels, &golden.f32("norm_f32_lowhigh_1_12"), 1e-6, 1e-5);
}

/// The image is not square, so that only the original's stretched Gaussians give its output.
#[test]
fn smoothing_and_sharpening() {
    let (plane, golden) = (Golden::open("transforms"), Golden::open("options"));
    let (height, width) = plane.get("norm_f32_in").size();
    let pixels = plane.f32("norm_f32_in");
    for (name, smooth, radius) in
        [("smooth2", 2.0, 0.0), ("sharpen6", 0.0, 6.0), ("smooth2_sharpen6", 2.0, 6.0)]
    {
        let run = |compat| sharpen::sharpen(&pixels, [height, width, 1], smooth, radius, compat);
        let original = run(Compat::V3_1_1);
        // The bound is that of Fourier transforms in single precision.
        assert_close(name, &rows(&original, width), &golden.f32(name), 1e-5, 1e-5);
        let far = run(Compat::None).iter().zip(&original).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far > 0.1, "{name}: {far}");
    }
}

#[test]
fn blocks() {
    let (plane, golden) = (Golden::open("transforms"), Golden::open("options"));
    let (height, width) = plane.get("norm_f32_in").size();
    let pixels = plane.f32("norm_f32_in");
    let second = |i: usize, v: f32| if i / width < 40 && i % width < 60 { 3.0 } else { v * 0.5 + 1.0 };
    let two: Vec<f32> = pixels.iter().enumerate().flat_map(|(i, &v)| [v, second(i, v)]).collect();
    let of = |blocksize, norm3d| {
        Normalize::default().tile_norm_blocksize(blocksize).tile_norm_smooth3d(2.0).norm3d(norm3d)
    };
    let mut planes = [two];
    let options = of(40, true).tile_norm_smooth3d(1.0);
    tile_norm::tile_norm(&mut planes, (height, width), 2, &options, Compat::V3_1_1);
    assert_close("blocks_40", &rows(&planes[0], 2 * width), &golden.f32("blocks_40"), 1e-5, 1e-5);

    let part = |z: usize| -> Vec<f32> {
        let row = |y: usize| &pixels[(8 * z + y) * width + 10 * z..][..90];
        (0..60).flat_map(|y| row(y).iter().map(move |v| v * (z + 1) as f32)).collect()
    };
    for (name, norm3d) in [("stack_blocks_25_all", true), ("stack_blocks_25_each", false)] {
        let mut planes: Vec<Vec<f32>> = (0..4).map(part).collect();
        tile_norm::tile_norm(&mut planes, (60, 90), 1, &of(25, norm3d), Compat::V3_1_1);
        let got: Vec<f32> = planes.iter().flat_map(|plane| rows(plane, 90)).collect();
        assert_close(name, &got, &golden.f32(name), 1e-5, 1e-5);
    }
}

fn nuclei() -> Segmenter {
    Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap()
}

fn image() -> Image {
    common::runs::image(&Golden::open("pipeline_nuclei"), "im0")
}

fn normalized(normalize: Normalize) -> Options {
    Options::default().diameter(Diameter::Pixels(19.48)).normalize(normalize)
}

/// Each option alone, in runs of `CellposeModel.eval` with the arguments of `tools/golden/options.py`.
#[test]
fn whole_runs() {
    let (golden, segmenter, image) = (Golden::open("options"), nuclei(), image());
    let lowhigh = Normalize::default().lowhigh(Some([[12.0, 140.0]; 2]));
    for (tag, options) in [
        ("lowhigh", normalized(lowhigh)),
        ("rescale", Options::default().diameter(Diameter::Scale(0.8))),
        ("large", normalized(Normalize::default()).max_size_fraction(0.006)),
    ] {
        let found = segmenter.segment(&image, &options.compat(Compat::V3_1_1)).unwrap();
        assert_same_masks(tag, found.masks.as_slice().unwrap(), &golden.u32(&format!("{tag}_masks")));
        assert_eq!(found.diameter, if tag == "rescale" { 17.0 / 0.8 } else { 19.48 });
    }
}

fn stack() -> Vec<Image> {
    let golden = Golden::open("stitch");
    let shape: [usize; 3] = golden.get("stack").shape.clone().try_into().unwrap();
    let stack = Array3::from_shape_vec(shape, golden.u32("stack")).unwrap();
    stack.outer_iter().map(|plane| Image::from_gray(plane.mapv(|v| v as u8).view()).unwrap()).collect()
}

/// Parts of three planes.
fn parts(planes: &[Image]) -> Vec<Image> {
    let part = |plane: &Image| plane.pixels().to_f32().slice_move(s![40..80, 40..88, ..]);
    planes[3..6].iter().map(|plane| Image::from_channels(part(plane).view()).unwrap()).collect()
}

/// It takes some seconds, since each is a whole stack.
#[test]
fn whole_stacks() {
    let (golden, segmenter, planes) = (Golden::open("options"), nuclei(), stack());
    let of =
        |normalize: Normalize| normalized(normalize).diameter(Diameter::Pixels(17.0)).compat(Compat::V3_1_1);
    let (default, blocks) = (Normalize::default(), Normalize::default().tile_norm_blocksize(60));
    for (tag, normalize) in [("planes", default.norm3d(false)), ("blocks", blocks)] {
        let found = segmenter.segment_stack(planes.clone(), 0.25, &of(normalize), &mut |_| true).unwrap();
        let labels: Vec<u32> = found.iter().flat_map(|found| found.masks.iter().copied()).collect();
        assert_same_masks(tag, &labels, &golden.u32(&format!("stack_{tag}_masks")));
    }
    let lowhigh = default.lowhigh(Some([[5.0, 110.0]; 2]));
    for (tag, normalize) in [("3d_blocks", blocks.sharpen_radius(6.0)), ("3d_lowhigh", lowhigh)] {
        let found = segmenter.segment_volume(&planes, &of(normalize).min_size(50)).unwrap();
        let masks = found.masks.as_slice().unwrap();
        assert_same_masks(tag, masks, &golden.u32(&format!("stack_{tag}_masks")));
    }
    // The original scales the planes of a volume together, whatever it is told.
    let small = parts(&planes);
    let run = |options: Options| segmenter.segment_volume(&small, &options).unwrap();
    let together = run(of(default));
    assert!(run(of(default.norm3d(false))) == together);
    assert!(run(of(default.norm3d(false)).compat(Compat::None)).cellprob != together.cellprob);
}

fn with(mut found: Segmentation, masks: Array2<u32>) -> Segmentation {
    found.masks = masks;
    found
}

#[test]
fn a_result_may_be_maps_only() {
    let (segmenter, image) = (nuclei(), image());
    for options in [Options::default(), normalized(Normalize::default()).resample(false)] {
        let whole = segmenter.segment(&image, &options).unwrap();
        let maps = segmenter.segment(&image, &options.clone().compute_masks(false)).unwrap();
        assert!(maps.masks.is_empty() && maps.cells() == 0 && whole.cells() > 0);
        assert!(maps == with(whole, Array2::default((0, 0))));
    }
    let planes = &parts(&stack());
    let options = Options::default().anisotropy(2.0).flow3d_smooth([1.0; 3]);
    let whole = segmenter.segment_volume(planes, &options).unwrap();
    let mut maps: VolumeSegmentation =
        segmenter.segment_volume(planes, &options.clone().compute_masks(false)).unwrap();
    assert!(maps.masks.is_empty());
    maps.masks = whole.masks.clone();
    assert!(maps == whole);
    let stitched =
        segmenter.segment_stack(planes.to_vec(), 0.25, &options.compute_masks(false), &mut |_| true);
    assert!(stitched.unwrap().iter().all(|found| found.masks.is_empty() && !found.flows.is_empty()));
}

#[test]
fn all_channels_are_those_of_the_image() {
    let (segmenter, gray) = (nuclei(), image());
    let all = Options::default().all_channels(true);
    let pixels = gray.pixels().to_f32();
    let two = Image::from_channels(pixels.select(Axis(2), &[0, 1]).view()).unwrap();
    let one = Image::from_channels(pixels.select(Axis(2), &[0]).view()).unwrap();
    let chosen =
        |image: &Image, channels| segmenter.segment(image, &Options::default().channels(channels)).unwrap();
    assert!(segmenter.segment(&two, &all).unwrap() == chosen(&two, [1, 2]));
    assert!(segmenter.segment(&one, &all).unwrap() == chosen(&one, [1, 0]));
    assert!(chosen(&two, [1, 2]).cellprob != chosen(&two, [1, 0]).cellprob);
    let said = segmenter.segment(&gray, &all).unwrap_err().to_string();
    assert!(said.contains("has 3 channels, and the network takes 2"), "{said}");
}

/// A network with random weights, without its second channel.
fn of_one_channel() -> Model {
    let mut params = Model::open(data("models/tiny.pth")).unwrap().params().unwrap();
    params.nbase[0] = 1;
    let down = &mut params.down[0];
    for Layer { norm, conv } in [&mut down.proj, &mut down.conv[0]] {
        for values in [&mut norm.weight, &mut norm.bias, &mut norm.running_mean, &mut norm.running_var] {
            values.truncate(1);
        }
        let taps = conv.weight.len() / (conv.inputs * conv.outputs);
        conv.weight = conv.weight.chunks_exact(conv.inputs * taps).flat_map(|w| w[..taps].to_vec()).collect();
        conv.inputs = 1;
    }
    Model::from_params("one", params, None).unwrap()
}

/// A network of one channel gets no second one in silence, whatever is prepared.
#[test]
fn all_channels_are_not_more_than_the_network_takes() {
    let segmenter = Segmenter::builder().model(of_one_channel()).build().unwrap();
    let pixels = image().pixels().to_f32().slice_move(s![..40, ..50, ..2]);
    let two = Image::from_channels(pixels.view()).unwrap();
    let one = Image::from_channels(pixels.slice(s![.., .., ..1])).unwrap();
    let default = Normalize::default();
    for normalize in [default, default.sharpen_radius(3.0), default.tile_norm_blocksize(20)] {
        let all = normalized(normalize).all_channels(true);
        let said = segmenter.segment(&two, &all).unwrap_err().to_string();
        assert!(said.contains("has 2 channels, and the network takes 1"), "{said}");
        let chosen = normalized(normalize).channels([1, 0]);
        assert!(segmenter.segment(&one, &all).unwrap() == segmenter.segment(&one, &chosen).unwrap());
        let stack = |image: &Image| {
            segmenter.segment_stack(vec![image.clone(), image.clone()], 0.25, &all, &mut |_| true)
        };
        let said = stack(&two).unwrap_err().to_string();
        assert!(said.contains("has 2 channels, and the network takes 1"), "{said}");
        stack(&one).unwrap();
    }
}

/// The size of cells is estimated from the channels that are chosen.
#[test]
fn a_diameter_is_estimated_from_the_chosen_channels() {
    let segmenter = nuclei();
    let gray = image().pixels().to_f32().index_axis_move(Axis(2), 0);
    let pixels = Array3::from_shape_fn((256, 256, 2), |(y, x, c)| match c {
        0 => ((y / 3 + x / 3) % 2) as f32 * 250.0,
        _ => gray[[y, x]],
    });
    let two = Image::from_channels(pixels.view()).unwrap();
    let auto = Options::default().diameter(Diameter::Auto);
    let want = segmenter.segment(&Image::from_gray(gray.view()).unwrap(), &auto).unwrap();
    assert!(segmenter.segment(&two, &auto.channels([2, 0])).unwrap() == want);
}

/// A radius or a block beyond the image, a radius whose square is 0, the least blocks, images of one pixel, and pixels without contrast.
#[test]
fn every_size_gives_finite_masks() {
    let segmenter = nuclei();
    let bright = |height: usize, width: usize| {
        let pixel = |(y, x)| if (y * 7 + x * 3) % 11 < 5 { 200.0_f32 } else { 5.0 };
        Image::from_gray(Array2::from_shape_fn((height, width), pixel).view()).unwrap()
    };
    for (image, compat) in [
        (bright(1, 1), Compat::None),
        (bright(1, 40), Compat::V3_1_1),
        (bright(37, 2), Compat::None),
        (bright(20, 31), Compat::V3_1_1),
    ] {
        for normalize in [
            Normalize::default().sharpen_radius(1000.0).smooth_radius(0.001),
            Normalize::default().sharpen_radius(0.001).invert(true),
            Normalize::default().sharpen_radius(1e-200),
            Normalize::default().sharpen_radius(6.0).smooth_radius(1e-320),
            Normalize::default().tile_norm_blocksize(4),
            Normalize::default().tile_norm_blocksize(usize::MAX).smooth_radius(3.0),
            Normalize::default().tile_norm_blocksize(7).invert(true).norm3d(false),
        ] {
            let options = Options::default().normalize(normalize).compat(compat);
            let found = segmenter.segment(&image, &options).unwrap_or_else(|e| panic!("{normalize:?}: {e}"));
            assert_eq!(found.masks.dim(), image.size());
            assert!(found.cellprob.iter().all(|v| v.is_finite()), "{normalize:?}");
        }
    }
    let flat = Image::from_gray(Array2::<u8>::from_elem((60, 70), 90).view()).unwrap();
    for normalize in [
        Normalize::default().tile_norm_blocksize(20).invert(true),
        Normalize::default().sharpen_radius(6.0).smooth_radius(1.0),
        Normalize::default().smooth_radius(3.0).invert(true),
    ] {
        assert_eq!(segmenter.segment(&flat, &Options::default().normalize(normalize)).unwrap().cells(), 0);
    }
}

#[test]
fn blocks_are_inverted_too() {
    let segmenter = nuclei();
    let gray = image().pixels().to_f32().index_axis_move(Axis(2), 0);
    let image = Image::from_gray(gray.view()).unwrap();
    let dark = Image::from_gray(gray.mapv(|v| 255.0 - v).view()).unwrap();
    let options = |invert| normalized(Normalize::default().tile_norm_blocksize(80).invert(invert));
    let cells = |image, options: Options| segmenter.segment(image, &options).unwrap().cells();
    let want = cells(&image, options(false));
    assert!(cells(&dark, options(true)).abs_diff(want) <= 2, "{want}");
    let original = options(true).compat(Compat::V3_1_1);
    assert_eq!(cells(&dark, original), cells(&dark, options(false).compat(Compat::V3_1_1)));
}

#[test]
fn what_is_wrong_is_named() {
    let (segmenter, image) = (nuclei(), image());
    let default = Normalize::default();
    for (name, normalize) in [
        ("sharpen_radius", default.sharpen_radius(-1.0)),
        ("sharpen_radius", default.sharpen_radius(f64::NAN)),
        ("smooth_radius", default.smooth_radius(1e9)),
        ("tile_norm_smooth3d", default.tile_norm_smooth3d(f64::INFINITY)),
        ("lowhigh", default.lowhigh(Some([[3.0, 3.0]; 2]))),
        ("lowhigh", default.lowhigh(Some([[0.0, 1.0], [f64::NAN, 1.0]]))),
        ("lowhigh", default.lowhigh(Some([[-1e300, 1e300]; 2]))),
        ("smooth_radius", default.lowhigh(Some([[0.0, 9.0]; 2])).smooth_radius(2.0)),
        ("tile_norm_blocksize", default.enabled(false).tile_norm_blocksize(100)),
        ("tile_norm_blocksize", default.tile_norm_blocksize(3)),
    ] {
        let said = segmenter.segment(&image, &normalized(normalize)).unwrap_err().to_string();
        assert!(said.starts_with(&format!("option {name}: ")), "{said}");
    }
    for scale in [0.0, -1.0, f64::NAN, 1e9] {
        let options = Options::default().diameter(Diameter::Scale(scale));
        let error = segmenter.segment(&image, &options).unwrap_err();
        assert!(matches!(error, Error::Option { name: "rescale", .. }), "{error}");
    }
    let sharp = normalized(default.sharpen_radius(6.0));
    let small = segmenter.segment(&image, &sharp.clone().memory(Some(400_000))).unwrap_err().to_string();
    assert!(small.contains("the intensities of an image of 256 by 256 pixels needs"), "{small}");
    // Blocks count, too: there are more than 64 along each side.
    let needs = |normalize| match segmenter.segment(&image, &normalized(normalize).memory(Some(400_000))) {
        Err(Error::Memory { needed, .. }) => needed,
        other => panic!("{:?}", other.err()),
    };
    let (few, many) = (default.smooth_radius(1.0), default.tile_norm_blocksize(4));
    assert!(needs(many) > needs(few) + 64 * 64 * 40, "{} and {}", needs(many), needs(few));
    let mut pixels = image.pixels().to_f32();
    pixels[[4, 5, 2]] = f32::NAN;
    let broken = Image::from_channels(pixels.view()).unwrap();
    let said = segmenter.segment(&broken, &sharp).unwrap_err().to_string();
    assert!(said.contains("row 4, column 5, channel 3 is NaN"), "{said}");
    let stopped = segmenter.segment_with_progress(&image, &sharp, &mut |_| false);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    // The other images of a call are segmented.
    let (good, want) = (image.clone(), segmenter.segment(&image, &sharp).unwrap());
    let loads = [good, broken].map(|image| || Ok::<_, Error>(vec![image]));
    let done = |i, found: Result<(Vec<Image>, Vec<Segmentation>), Error>| match i {
        0 => assert!(found.unwrap().1[0] == want),
        _ => assert!(found.is_err()),
    };
    segmenter.segment_many(loads, &sharp, done).unwrap();
}
