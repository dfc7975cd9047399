//! What is summed over the pixels of each cell.

use flowmask::cpu::measure::measure as expected;
use flowmask::cuda::channels::Raw;
use flowmask::cuda::measure::{Scratch, measure};
use flowmask::cuda::{Buffer, Gpu, Pinned};
use flowmask::measure::{Inputs, measure as measure_cells};
use flowmask::{Device, Image, Model, Normalize, Options, Pixels, Segmenter};
use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::components::{Noise, blobs};
use crate::device::on_device;
use crate::parts::dust;

/// Compares the sums of all labels up to `most`, and returns how many cells there are.
fn check(gpu: &Gpu, labels: &Array3<u32>, pixels: &Pixels, most: u32, scratch: &mut Scratch) -> usize {
    let [planes, height, width]: [usize; 3] = labels.dim().into();
    let channels = Image::new(pixels.clone()).map_or(1, |image| image.channels());
    // All planes one below the other are one array on the GPU, and one image each on the processor.
    let images: Vec<Image> = (0..planes).map(|z| plane(pixels, z, height)).collect();
    let views: Vec<ArrayView2<u32>> = labels.axis_iter(Axis(0)).collect();
    let want: Vec<_> = expected(&views, &images).into_iter().filter(|sums| sums.label <= most).collect();
    let (mut raw, mut pinned) = (Raw::default(), Pinned::default());
    raw.upload(gpu, pixels, &mut pinned).unwrap();
    let on_gpu = Buffer::of(gpu, labels.as_slice().unwrap()).unwrap();
    let got = measure(gpu, &on_gpu, [planes, height, width], most, (&raw, channels), scratch).unwrap();
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(got, want);
    }
    assert_eq!(got.len(), want.len(), "{:?}", labels.dim());
    want.len()
}

/// A plane of planes that lie one below the other.
fn plane(pixels: &Pixels, z: usize, height: usize) -> Image {
    let rows = ndarray::s![z * height..(z + 1) * height, .., ..];
    match pixels {
        Pixels::U8(all) => Image::from_channels(all.slice(rows)),
        Pixels::U16(all) => Image::from_channels(all.slice(rows)),
        Pixels::F32(all) => Image::from_channels(all.slice(rows)),
        _ => unreachable!(),
    }
    .unwrap()
}

/// Pixels of each type, with so many channels.
fn noise(rows: usize, width: usize, channels: usize) -> [Pixels; 3] {
    let mut noise = Noise(77);
    let u16s = Array3::from_shape_simple_fn((rows, width, channels), || noise.below(65_536) as u16);
    let u8s = u16s.mapv(|value| (value >> 8) as u8);
    let f32s = u16s.mapv(|value| f32::from(value) / 7.0);
    [Pixels::U8(u8s), Pixels::U16(u16s), Pixels::F32(f32s)]
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn every_label_has_its_sums() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let sizes = [[1, 37, 71], [3, 9, 33], [1, 1, 300], [5, 60, 1], [1, 1, 1], [2, 13, 64]];
        for (i, [planes, height, width]) in sizes.into_iter().enumerate() {
            let (rows, seed) = (planes * height, i as u64);
            let shaped = |labels| Array3::from_shape_vec((planes, height, width), labels).unwrap();
            let images = [
                // With gaps, and at all edges.
                shaped(blobs((rows, width), 30, 9, seed)),
                shaped(dust(rows * width, 4, seed)),
                shaped(vec![3; rows * width]),
                shaped(vec![0; rows * width]),
            ];
            for (labels, channels) in images.iter().zip([1, 3, 2, 1]) {
                let most = labels.iter().copied().max().unwrap_or(0);
                for pixels in noise(rows, width, channels) {
                    let cells = check(gpu, labels, &pixels, most, &mut scratch);
                    assert_eq!(cells == 0, most == 0);
                }
            }
        }
    });
}

/// Labels above the bound, even the largest, are left out, and there may be no pixel.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn huge_labels_are_left_out() {
    on_device(|gpu| {
        let mut scratch = Scratch::default();
        let mut labels = Array3::from_elem((1, 8, 40), 2);
        labels.slice_mut(ndarray::s![0, 2..4, 7..33]).fill(u32::MAX);
        labels.slice_mut(ndarray::s![0, 5.., 35..]).fill(4);
        labels.slice_mut(ndarray::s![0, 0, ..3]).fill(3);
        let [bytes, ..] = noise(8, 40, 1);
        assert_eq!(check(gpu, &labels, &bytes, 3, &mut scratch), 2);
        assert_eq!(check(gpu, &labels, &bytes, 4, &mut scratch), 3);
        assert_eq!(check(gpu, &labels, &bytes, 0, &mut scratch), 0);
        let none = measure(gpu, &Buffer::new(), [1, 0, 4], 9, (&Raw::default(), 1), &mut scratch).unwrap();
        assert!(none.is_empty());
    });
}

/// One cell of the brightest pixels: squares of 2³² - 2¹⁷ + 1 each, and coordinates, whose sums have more than 32 bits.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn sums_have_more_than_32_bits() {
    on_device(|gpu| {
        let (height, width) = (3, 70_000);
        let labels = Array3::from_elem((1, height, width), 1);
        let pixels = Pixels::U16(Array3::from_elem((height, width, 1), u16::MAX));
        assert_eq!(check(gpu, &labels, &pixels, 1, &mut Scratch::default()), 1);
        let flat = Array2::from_elem((height, width), 1);
        let sums = &expected(&[flat.view()], &[plane(&pixels, 0, height)])[0];
        let channel = &sums.channels[0];
        assert!(sums.coordinates[2] > 1 << 32 && channel.sum > 1 << 32 && channel.squares > 1 << 48);
    });
}

/// What a table is made of is the same with the sums of the device as without, also for images that the processor prepares.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn a_table_from_the_sums_is_the_same() {
    crate::device::gpu();
    let model = Model::open(crate::follow::common::data("models/tiny.pth")).unwrap();
    let cuda = Segmenter::builder().model(model).devices([Device::Cuda(0)]).build().unwrap();
    let [bytes, words, floats] = noise(60, 90, 2);
    let options = Options::default().cellprob_threshold(-60.0).flow_threshold(0.0).min_size(3).sums(true);
    let smooth = options.clone().normalize(Normalize::default().smooth_radius(1.5));
    for (pixels, options, channels) in
        [(&bytes, &options, 2), (&words, &options, 2), (&floats, &options, 0), (&words, &smooth, 0)]
    {
        let image = Image::new(pixels.clone()).unwrap();
        let found = cuda.segment(&image, options).unwrap();
        assert!(found.cells() > 3, "{} cells", found.cells());
        assert_eq!(found.sums.len(), found.cells());
        assert!(found.sums.iter().all(|sums| sums.channels.len() == channels));
        let images = [image];
        let without = Inputs { images: &images, ..Inputs::default() };
        let with = Inputs { sums: &found.sums, ..without.clone() };
        let table = |inputs| measure_cells(found.masks.view(), inputs).unwrap();
        assert_eq!(table(&with), table(&without));
        assert!(cuda.segment(&images[0], &options.clone().sums(false)).unwrap().sums.is_empty());
    }
}
