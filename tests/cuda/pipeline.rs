//! Whole images: on the device as on the processor, and the same bytes however they are put together.

use std::collections::BTreeMap;
use std::sync::Mutex;

use flowmask::cuda::count;
use flowmask::metrics::average_precision;
use flowmask::{
    Builder, Device, Diameter, Error, Image, Model, Normalize, Options, Precision, Sampling, Segmentation,
    Segmenter,
};
use ndarray::{Array2, Array3};

use crate::device::gpu;
use crate::follow::common::data;

fn tiny() -> Model {
    Model::open(data("models/tiny.pth")).unwrap()
}

fn segmenter(model: Model, devices: &[Device], precision: Precision) -> Segmenter {
    Segmenter::builder().model(model).devices(devices.iter().copied()).precision(precision).build().unwrap()
}

/// Discs on a noisy ground, in two channels.
fn discs(height: usize, width: usize, side: usize) -> Image {
    let value = |(y, x, c): (usize, usize, usize)| {
        let middle = side as f32 / 2.0 - 0.5;
        let (dy, dx) = ((y % side) as f32 - middle, (x % side) as f32 - middle);
        let noise = (y * 7919 + x * 104_729 + c * 31) % 13;
        if dy * dy + dx * dx < middle * middle * 0.6 { 180 + noise as u16 * 50 } else { 10 + noise as u16 }
    };
    Image::from_channels(Array3::from_shape_fn((height, width, 2), value).view()).unwrap()
}

fn images() -> Vec<Image> {
    [(70, 83, 20), (1, 1, 9), (150, 60, 17), (48, 48, 24), (97, 131, 12), (70, 83, 23)]
        .map(|(height, width, side)| discs(height, width, side))
        .into()
}

/// Of [`Segmenter::segment_many`], by the number of the image.
fn many(segmenter: &Segmenter, images: &[Image], options: &Options) -> Vec<Segmentation> {
    let found = Mutex::new(BTreeMap::new());
    let loads = images.iter().map(|image| || Ok::<_, Error>(vec![image.clone()]));
    let done = |i, result: Result<(Vec<Image>, Vec<Segmentation>), Error>| {
        found.lock().unwrap().insert(i, result.unwrap().1.remove(0));
    };
    segmenter.segment_many(loads, options, done).unwrap();
    found.into_inner().unwrap().into_values().collect()
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn single_precision_finds_what_the_processor_finds() {
    gpu();
    let model = Model::named("nuclei").unwrap();
    let cpu = segmenter(model.clone(), &[Device::Cpu], Precision::F32);
    let cuda = segmenter(model, &[Device::Cuda(0)], Precision::F32);
    let image = discs(64, 90, 18);
    // For the run without normalisation: of the range that the network is made for.
    let flowmask::Pixels::U16(pixels) = image.pixels() else { unreachable!() };
    let unit = Image::from_channels(pixels.mapv(|v| f32::from(v) / 800.0).view()).unwrap();
    let default = Options::default().bsize(48);
    let all = [
        default.clone(),
        default.clone().diameter(Diameter::Pixels(25.0)).exclude_on_edges(true),
        default.clone().diameter(Diameter::Pixels(12.0)).resample(false).channels([2, 1]),
        default.clone().augment(true).sampling(Sampling::GridSample).min_size(40),
        default.clone().normalize(Normalize::default().enabled(false)),
        // Steps that the processor prepares for both.
        default.clone().normalize(Normalize::default().sharpen_radius(9.0).smooth_radius(1.5)),
        default.clone().normalize(Normalize::default().tile_norm_blocksize(40)).channels([2, 0]),
        default.clone().normalize(Normalize::default().lowhigh(Some([[10.0, 800.0]; 2]))),
        default.clone().all_channels(true).diameter(Diameter::Scale(0.9)),
        default.clone().compute_masks(false).diameter(Diameter::Scale(1.1)),
    ];
    for (i, options) in all.iter().enumerate() {
        let image = if options.normalize.enabled { &image } else { &unit };
        let (want, got) = (cpu.segment(image, options).unwrap(), cuda.segment(image, options).unwrap());
        assert_eq!(got.flows.dim(), want.flows.dim());
        for (w, g) in want.flows.iter().zip(&got.flows).chain(want.cellprob.iter().zip(&got.cellprob)) {
            assert!((w - g).abs() <= 1e-4 + 1e-4 * w.abs(), "case {i}: {g}, not {w}");
        }
        assert!(got.masks == want.masks, "case {i}: {} cells, not {}", got.cells(), want.cells());
        assert_eq!(got.diameter, want.diameter);
    }
    let found = cuda.segment(&image, &all[0]).unwrap();
    assert!(found.cells() > 10, "{} cells", found.cells());
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn images_are_restored_as_on_the_processor() {
    gpu();
    let image = discs(64, 90, 18);
    let options = Options::default().bsize(48).channels([1, 2]).diameter(Diameter::Pixels(24.0));
    for (file, name) in [("tiny_1in_1out.pth", "denoise"), ("tiny_restore.safetensors", "upsample")] {
        let bytes = std::fs::read(data(&format!("models/{file}"))).unwrap();
        let restore = |device, precision| {
            let builder = Builder::default().model(Model::from_bytes(name, &bytes).unwrap());
            let restorer = builder.devices([device]).precision(precision).restorer().unwrap();
            restorer.restore(&image, &options).unwrap().pixels().to_f32()
        };
        let want = restore(Device::Cpu, Precision::F32);
        let most = want.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        for (precision, bound) in [(Precision::F32, 1e-4), (Precision::F16, 2e-2)] {
            let got = restore(Device::Cuda(0), precision);
            assert_eq!(got.dim(), want.dim());
            let off = want.iter().zip(&got).fold(0.0_f32, |off, (w, g)| off.max((w - g).abs()));
            assert!(off <= bound * (1.0 + most), "{name}, {precision:?}: {off} of {most}");
        }
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn the_diameter_is_estimated_as_on_the_processor() {
    gpu();
    let model = Model::named("nuclei").unwrap();
    let options = Options::default().diameter(Diameter::Auto);
    let image = discs(50, 40, 16);
    let want = segmenter(model.clone(), &[Device::Cpu], Precision::F32).segment(&image, &options).unwrap();
    let got = segmenter(model, &[Device::Cuda(0)], Precision::F32).segment(&image, &options).unwrap();
    assert!((got.diameter / want.diameter - 1.0).abs() < 1e-3, "{}, not {}", got.diameter, want.diameter);
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn same_bytes_for_any_batch_pooling_and_number_of_gpus() {
    gpu();
    let images = images();
    let devices: Vec<Device> = (0..count().unwrap().min(2)).map(Device::Cuda).collect();
    for precision in [Precision::F16, Precision::F32] {
        let options = Options::default().bsize(64).diameter(Diameter::Pixels(26.0));
        let alone = segmenter(tiny(), &devices[..1], precision);
        let want: Vec<_> = images.iter().map(|image| alone.segment(image, &options).unwrap()).collect();
        for batch_size in [Some(1), Some(5), None] {
            let options = options.clone().batch_size(batch_size);
            for devices in [&devices[..1], &devices] {
                let found = many(&segmenter(tiny(), devices, precision), &images, &options);
                for (i, (found, want)) in found.iter().zip(&want).enumerate() {
                    assert!(
                        found == want,
                        "{precision:?}, image {i}, batches of {batch_size:?}, {devices:?}"
                    );
                }
            }
        }
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn what_is_wrong_with_one_image_is_an_error_and_the_others_are_done() {
    gpu();
    let cuda = segmenter(tiny(), &[Device::Cuda(0)], Precision::F16);
    let nan = Image::from_gray(Array2::from_elem((9, 9), f32::NAN).view()).unwrap();
    let cpu = segmenter(tiny(), &[Device::Cpu], Precision::F32);
    for options in [Options::default(), Options::default().flows(false)] {
        let want = cpu.segment(&nan, &options).unwrap_err().to_string();
        assert!(want.starts_with("image: the pixel at row 0, column 0, channel 1 is "), "{want}");
        assert_eq!(cuda.segment(&nan, &options).unwrap_err().to_string(), want);
        assert_eq!(cuda.style(&nan, &options).unwrap_err().to_string(), want);
        // With others in a batch.
        let good = discs(70, 83, 20);
        let alone = cuda.segment(&good, &options).unwrap();
        let loads = [&nan, &good].map(|image| || Ok::<_, Error>(vec![image.clone()]));
        cuda.segment_many(loads, &options, |i, found| match found {
            Ok((_, found)) => assert!(i == 1 && found[0] == alone),
            Err(error) => assert!(i == 0 && error.to_string() == want, "{i}: {error}"),
        })
        .unwrap();
    }
    let mut hot = Array2::from_shape_fn((20, 30), |(y, x)| (y * x % 7) as f32);
    hot[[9, 9]] = 9e29;
    let hot = Image::from_gray(hot.view()).unwrap();
    let error = cuda.segment(&hot, &Options::default()).unwrap_err().to_string();
    assert!(error.starts_with("image: the network's output is not finite: "), "{error}");
    assert!(cuda.style(&hot, &Options::default()).is_err());
    let absent = Options::default().channels([3, 0]);
    assert!(matches!(cuda.segment(&images()[0], &absent), Err(Error::Image(_))));
    assert_eq!(cuda.segment(&images()[3], &Options::default()).unwrap().masks.dim(), (48, 48));
    let missing = Segmenter::builder().model(tiny()).devices([Device::Cuda(99)]).build();
    assert!(matches!(missing.err(), Some(Error::Device { device, .. }) if device == "cuda:99"));
    let auto = Options::default().diameter(Diameter::Auto);
    assert!(matches!(cuda.segment(&images()[0], &auto), Err(Error::Model { .. })));
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn results_that_are_given_back_are_written_again() {
    gpu();
    let cuda = segmenter(tiny(), &[Device::Cuda(0)], Precision::F16);
    let options = Options::default().bsize(64);
    let [first, second] = [discs(70, 83, 20), discs(66, 80, 17)];
    let want = [&first, &second].map(|image| cuda.segment(image, &options).unwrap());
    let places = |found: &Segmentation| {
        [found.masks.as_ptr() as usize, found.flows.as_ptr() as usize, found.cellprob.as_ptr() as usize]
    };
    let mut found = cuda.segment(&first, &options).unwrap();
    let at = places(&found);
    for (image, want) in [(&second, &want[1]), (&first, &want[0])] {
        cuda.segment_into(image, &options, &mut found).unwrap();
        assert!(found == *want && places(&found) == at);
    }
    // A result that is kept is never written again.
    let other = cuda.segment(&first, &options).unwrap();
    assert!(found == want[0] && places(&other).iter().all(|place| !at.contains(place)));
    cuda.recycle(found);
    let done = |_, found: Result<(Vec<Image>, Vec<Segmentation>), Error>| {
        assert_eq!(places(&found.unwrap().1[0]), at);
    };
    cuda.segment_many([|| Ok::<_, Error>(vec![second.clone()])], &options, done).unwrap();
    // After an error nothing is left in the result.
    let mut found = other;
    assert!(cuda.segment_into(&first, &options.clone().channels([3, 0]), &mut found).is_err());
    assert!(found == Segmentation::default());
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn progress_stops_the_work() {
    gpu();
    let cuda = segmenter(tiny(), &[Device::Cuda(0)], Precision::F16);
    let options = Options::default().bsize(64).batch_size(Some(2));
    let image = discs(97, 131, 12);
    let want = cuda.segment(&image, &options).unwrap();
    let result = cuda.segment_with_progress(&image, &options, &mut |done| done < 0.3);
    assert!(matches!(result, Err(Error::Cancelled)));
    // Tiles of several sizes in one batch: the progress is that of all of them.
    let (images, mut seen) = (images(), Vec::new());
    let loads = images.iter().map(|image| || Ok::<_, Error>(vec![image.clone()]));
    let mut note = |files: f64| {
        seen.push(files);
        true
    };
    cuda.segment_many_with_progress(loads, &options, &mut note, |_, found| drop(found.unwrap())).unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&(images.len() as f64)), "{seen:?}");
    assert!(cuda.segment(&image, &options).unwrap() == want);
}

/// The real image and the real weights, in the precision that is meant for use.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn half_precision_finds_the_same_nuclei() {
    gpu();
    let model = Model::named("nuclei").unwrap();
    let image = Image::open(data("nuclei.png")).unwrap();
    let options = Options::default().diameter(Diameter::Pixels(19.5)).bsize(256);
    let want = segmenter(model.clone(), &[Device::Cpu], Precision::F32).segment(&image, &options).unwrap();
    let got = segmenter(model, &[Device::Cuda(0)], Precision::F16).segment(&image, &options).unwrap();
    let worst =
        want.flows.iter().zip(&got.flows).map(|(w, g)| (w - g).abs() / (1.0 + w.abs())).fold(0.0, f32::max);
    println!("flows differ by up to {worst:.1e} of the bound 2e-2");
    assert!(worst <= 2e-2, "{worst}");
    let ap = average_precision(want.masks.view(), got.masks.view(), &[0.9]).unwrap()[0].ap();
    assert!(ap >= 0.99, "AP at 0.9: {ap}, {} cells and {}", got.cells(), want.cells());
}
