//! Whole volumes: on the device as on the processor, and the same bytes for any batch.

use flowmask::{
    Device, Diameter, Error, Image, Model, Options, Precision, Sampling, Segmenter, VolumeSegmentation,
};
use ndarray::{Array2, Array3};

use crate::device::gpu;
use crate::scene::tiny;

fn segmenter(model: Model, device: Device, precision: Precision) -> Segmenter {
    Segmenter::builder().model(model).devices([device]).precision(precision).build().unwrap()
}

/// The network's outputs are within its bounds of those of the processor, and the masks are the same.
pub fn close(what: &str, got: &VolumeSegmentation, want: &VolumeSegmentation) {
    assert_eq!((got.flows.dim(), got.style.dim()), (want.flows.dim(), want.style.dim()));
    let pairs = |a: &[f32], b: &[f32]| a.iter().copied().zip(b.iter().copied()).collect::<Vec<_>>();
    let maps = [
        pairs(want.flows.as_slice().unwrap(), got.flows.as_slice().unwrap()),
        pairs(want.cellprob.as_slice().unwrap(), got.cellprob.as_slice().unwrap()),
        pairs(want.style.as_slice().unwrap(), got.style.as_slice().unwrap()),
    ];
    for (w, g) in maps.concat() {
        assert!((w - g).abs() <= 3e-4 + 1e-4 * w.abs(), "{what}: {g}, not {w}");
    }
    assert!(got.masks == want.masks, "{what}: {} cells, not {}", got.cells(), want.cells());
    assert_eq!(got.diameter, want.diameter, "{what}");
}

/// A bright ball with soft edges on a noisy ground, in two channels. Planes lie twice as far apart as pixels.
pub fn ball([depth, height, width]: [usize; 3]) -> Vec<Image> {
    let middle = [depth as f32, height as f32 / 2.0, width as f32 / 2.0];
    let value = |z: usize, (y, x, c): (usize, usize, usize)| {
        let place = [2.0 * z as f32, y as f32, x as f32];
        let distance: f32 = place.iter().zip(middle).map(|(a, b)| (a - b).powi(2)).sum();
        let noise = (z * 31 + y * 7919 + x * 104_729 + c * 17) % 13;
        (20.0 + 180.0 / (1.0 + (distance.sqrt() - 6.0).exp()) + noise as f32) as u16
    };
    let plane = |z: usize| Array3::from_shape_fn((height, width, 2), |place| value(z, place));
    (0..depth).map(|z| Image::from_channels(plane(z).view()).unwrap()).collect()
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn single_precision_finds_what_the_processor_finds() {
    gpu();
    let planes = ball([3, 14, 18]);
    let nuclei = || Model::named("nuclei").unwrap();
    let [cpu, cuda] =
        [Device::Cpu, Device::Cuda(0)].map(|device| segmenter(nuclei(), device, Precision::F32));
    // The cell is most of the volume.
    let options = Options::default().diameter(Diameter::Pixels(17.0)).min_size(20).max_size_fraction(1.0);
    let all = [
        options.clone().anisotropy(2.0).flow3d_smooth([1.0, 0.0, 0.5]).flow3d_threshold(3.0),
        options.diameter(Diameter::Pixels(19.0)).resample(false).sampling(Sampling::Nearest),
    ];
    for (i, options) in all.iter().enumerate() {
        let want = cpu.segment_volume(&planes, options).unwrap();
        let got = cuda.segment_volume(&planes, options).unwrap();
        close(&format!("case {i}"), &got, &want);
        assert!(got.cells() > 0, "case {i}");
    }
}

/// Random weights, with which there are masks where nothing is dropped.
pub fn options() -> Options {
    Options::default().diameter(Diameter::Pixels(24.0)).bsize(32).cellprob_threshold(-1e30).min_size(1)
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn same_bytes_for_any_batch() {
    gpu();
    let planes = ball([3, 9, 20]);
    for (precision, batches) in [(Precision::F16, &[1, 5, 7][..]), (Precision::F32, &[5])] {
        let cuda = segmenter(tiny(), Device::Cuda(0), precision);
        let want = cuda.segment_volume(&planes, &options()).unwrap();
        assert!(want.cells() > 0);
        for &batch in batches {
            let found = cuda.segment_volume(&planes, &options().batch_size(Some(batch))).unwrap();
            assert!(found == want, "{precision:?}, batches of {batch}");
        }
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn progress_memory_and_what_is_wrong() {
    gpu();
    let [cpu, cuda] = [Device::Cpu, Device::Cuda(0)].map(|device| segmenter(tiny(), device, Precision::F32));
    let (planes, options) = (ball([3, 9, 20]), options().batch_size(Some(2)));
    let mut seen = Vec::new();
    let mut note = |done| {
        seen.push(done);
        true
    };
    let want = cuda.segment_volume_with_progress(&planes, &options, &mut note).unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&1.0), "{seen:?}");
    // Two tiles at a time, of a tile or more for each of 3 + 9 + 20 planes.
    let steps = seen.windows(2).filter(|pair| pair[0] < pair[1] && pair[1] <= 0.9);
    assert!(steps.count() >= 16, "{seen:?}");
    for stop in [0.1, 0.5, 0.93] {
        let found = cuda.segment_volume_with_progress(&planes, &options, &mut |done| done < stop);
        assert!(matches!(found, Err(Error::Cancelled)), "{stop}");
    }
    let small = cuda.segment_volume(&planes, &options.clone().memory(Some(20_000))).unwrap_err();
    assert!(matches!(small, Error::Memory { needed, limit: 20_000, .. } if needed > 20_000), "{small}");
    let words = small.to_string();
    assert!(words.contains("cuda:0: a volume of 3 planes of 9 by 20 pixels"), "{words}");

    let mut odd = planes.clone();
    let mut pixels = planes[2].pixels().to_f32();
    pixels[[7, 9, 1]] = f32::NAN;
    odd[2] = Image::from_channels(pixels.view()).unwrap();
    let errors = [&cpu, &cuda].map(|on| on.segment_volume(&odd, &options).unwrap_err().to_string());
    assert!(errors[0] == errors[1] && errors[0].contains("in plane 2, the pixel at row 7"), "{errors:?}");
    let mut hot = Array2::from_shape_fn((9, 20), |(y, x)| (y * x % 7) as f32);
    hot[[5, 9]] = 9e29;
    odd = vec![Image::from_gray(hot.view()).unwrap(); 3];
    let half = segmenter(tiny(), Device::Cuda(0), Precision::F16);
    let error = half.segment_volume(&odd, &options).unwrap_err().to_string();
    assert!(error.starts_with("image: the network's output is not finite"), "{error}");
    // After all that, the same again.
    assert!(cuda.segment_volume(&planes, &options).unwrap() == want);
}
