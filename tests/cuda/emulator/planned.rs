//! The memory that a volume is planned to take is what its stages allocate.

use flowmask::cuda::Gpu;
use flowmask::cuda::network::{State, Unet};
use flowmask::{Device, Diameter, Error, Image, Options, Precision, Segmenter};
use flowmask_emulator::memory;
use ndarray::Array3;

use super::{alone, open};
use crate::scene::tiny;

/// Tiles of so many pixels on a side, one at a time, so that the network's feature maps are small beside the volume.
const TILE: usize = 32;

/// Memory that is freed is free at once: on a GPU, an array that is allocated later in the stream takes its place.
const AT_ONCE: [(&str, &str); 1] = [("FLOWMASK_EMULATOR_STREAMS", "1")];

/// Noise, in which every voxel is made a cell's.
fn planes([depth, height, width]: [usize; 3]) -> Vec<Image> {
    let value = |z: usize, (y, x, c): (usize, usize, usize)| (z * 31 + y * y * 7 + x * 17 + c * 5) % 251;
    let plane = |z: usize| Array3::from_shape_fn((height, width, 2), |place| value(z, place) as u8);
    (0..depth).map(|z| Image::from_channels(plane(z).view()).unwrap()).collect()
}

/// The options of which each test changes one. The network gets the volume as it is.
fn options() -> Options {
    let model = f64::from(tiny().diam_mean());
    let options = Options::default().diameter(Diameter::Pixels(model)).cellprob_threshold(-1e30);
    options.channels([1, 2]).bsize(TILE).batch_size(Some(1)).min_size(1).max_size_fraction(1.0).niter(Some(3))
}

/// When a volume takes most memory. The plan leaves out the network's feature maps: in the network, those of one tile are there
/// too, later none.
#[derive(PartialEq)]
enum Fullest {
    InNetwork,
    Later,
}

/// The part of the planned memory that a run takes, the weights left out, which the plan has exactly.
fn used(gpu: &Gpu, size: [usize; 3], options: &Options, fullest: &Fullest) -> f64 {
    let builder = Segmenter::builder().model(tiny()).devices([Device::Cuda(0)]).precision(Precision::F32);
    let (segmenter, planes) = (builder.build().unwrap(), planes(size));
    let planned = match segmenter.segment_volume(&planes, &options.clone().memory(Some(1))) {
        Err(Error::Memory { needed, .. }) => needed,
        other => panic!("{other:?}"),
    };
    segmenter.segment_volume(&planes, options).unwrap();
    let [_, _, most, _] = memory(0);
    let unet = Unet::new(gpu, tiny().network(), Precision::F32).unwrap();
    let maps = State::bytes(&unet, 1, (TILE, TILE)) as u64;
    let planned = planned + if *fullest == Fullest::InNetwork { maps } else { 0 };
    println!("{size:?}: {most} bytes of {planned}, weights {}, feature maps {maps}", unet.bytes());
    assert!(most <= planned, "{most} bytes, and {planned} were planned");
    let volume = |bytes: u64| (bytes - unet.bytes() as u64) as f64;
    volume(most) / volume(planned)
}

/// Each test has a process of its own, since the emulator counts from its beginning.
macro_rules! volumes {
    ($($name:ident: $size:expr, $options:expr, $fullest:ident, $least:expr;)+) => {$(
        #[test]
        fn $name() {
            alone(concat!("planned::", stringify!($name)), &AT_ONCE, || {
                let used = used(&open(0).unwrap(), $size, &$options, &Fullest::$fullest);
                assert!(used > $least, "a plan of which {used} is used refuses volumes without need");
            });
        }
    )+};
}

/// The network gets the volume at a third of its size, so that what comes later takes most.
fn coarse() -> Options {
    let model = f64::from(tiny().diam_mean());
    options().diameter(Diameter::Pixels(3.2 * model))
}

volumes! {
    a_volume_that_is_stretched: [8, 32, 32], options().anisotropy(2.0), InNetwork, 0.98;
    a_volume_that_becomes_large: [6, 20, 20], options().diameter(Diameter::Pixels(12.0)), InNetwork, 0.98;
    a_volume_that_is_followed_at_its_size: [32, 64, 64], coarse(), Later, 0.9;
    a_volume_that_is_smoothed: [32, 64, 64], coarse().flow3d_smooth([1.0; 3]), Later, 0.9;
    a_volume_whose_flows_are_checked: [32, 64, 64], coarse().flow3d_threshold(1.0), Later, 0.8;
    a_volume_whose_labels_become_large: [32, 64, 64], coarse().resample(false), Later, 0.9;
    a_narrow_volume_whose_labels_become_large: [32, 80, 33], coarse().resample(false), Later, 0.9;
}
