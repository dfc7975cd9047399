//! Pixels and labels in the GPU's memory.

use flowmask::cuda::DeviceImage;
use flowmask::{Error, Image, Normalize, Options, PixelType, Segmentation};
use ndarray::{Array2, s};

use super::scene::{Memory, discs, expected, image_of, options, segmenter};
use crate::device::{gpu, schedule};

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn images_of_all_types_and_strides_get_the_masks_of_the_host() {
    let gpu = gpu();
    let segmenter = segmenter();
    let pixels = [discs(31, 35, 12), discs(1, 1, 9), discs(20, 67, 11)];
    let want = expected(&segmenter, &pixels);
    assert!(want[0].cells() > 2, "{} cells", want[0].cells());

    // 16 bits as they are; single precision in planes, upside down; the labels to wide rows and to the host.
    let first = Memory::of(&gpu, pixels[0].as_slice().unwrap());
    let second = Memory::of(&gpu, pixels[1].as_slice().unwrap());
    let planes = pixels[2].slice(s![..;-1, .., ..]).permuted_axes([2, 0, 1]).mapv(f32::from);
    let third = Memory::of(&gpu, planes.as_standard_layout().as_slice().unwrap());
    let labels = [Memory::of(&gpu, &[7_u32; 31 * 40]), Memory::of(&gpu, &[7_u32; 1])];
    let mut images = [
        image_of(&first, PixelType::U16, [31, 35, 2], 2),
        image_of(&second, PixelType::U16, [1, 1, 2], 2),
        image_of(&third, PixelType::F32, [20, 67, 2], 4),
    ];
    images[0].labels = Some((labels[0].address(), 40 * 4));
    images[1].labels = Some((labels[1].address(), 4));
    images[2].pixels += 19 * 67 * 4;
    images[2].strides = [-67 * 4, 4, 20 * 67 * 4];
    let mut seen = Vec::new();
    let mut progress = |done| {
        seen.push(done);
        true
    };
    // SAFETY: as the images say.
    let found = unsafe { segmenter.segment_on_device(0, &images, &options(), &mut progress) }.unwrap();
    for (i, found) in found.into_iter().enumerate() {
        let found = found.unwrap_or_else(|e| panic!("{i}: {e}"));
        assert_eq!(found.cells, want[i].cells(), "{i}");
        let masks = match i {
            0 => Array2::from_shape_vec((31, 40), labels[0].read::<u32>()).unwrap(),
            1 => Array2::from_shape_vec((1, 1), labels[1].read::<u32>()).unwrap(),
            _ => found.segmentation.masks.clone(),
        };
        let width = want[i].masks.dim().1;
        assert_eq!(masks.slice(s![.., ..width]), want[i].masks, "{i}");
        assert!(masks.slice(s![.., width..]).iter().all(|&label| label == 7), "{i}: wrote between the rows");
        assert_eq!(found.segmentation.masks.is_empty(), i < 2);
        let mut rest: Segmentation = found.segmentation;
        rest.masks = want[i].masks.clone();
        assert!(rest == want[i], "{i}: flows, style or diameter differ");
    }
    assert_eq!(seen.last(), Some(&1.0));
    assert!(
        seen.is_sorted() && seen.len() > 2 && seen.iter().all(|done| (0.0..=1.0).contains(done)),
        "{seen:?}"
    );
    // 8 bits.
    let bytes = discs(17, 30, 9).mapv(|v| v.min(255) as u8);
    let memory = Memory::of(&gpu, bytes.as_slice().unwrap());
    let image = image_of(&memory, PixelType::U8, [17, 30, 2], 1);
    // SAFETY: as above.
    let found = unsafe { segmenter.segment_on_device(0, &[image], &options(), &mut |_| true) }.unwrap();
    let want = segmenter.segment(&Image::from_channels(bytes.view()).unwrap(), &options()).unwrap();
    assert!(found.into_iter().next().unwrap().unwrap().segmentation == want);
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn options_of_the_input_work_or_are_refused() {
    let gpu = gpu();
    let segmenter = segmenter();
    let pixels = discs(31, 35, 12);
    let memory = Memory::of(&gpu, pixels.as_slice().unwrap());
    let mut image = image_of(&memory, PixelType::U16, [31, 35, 2], 2);
    let host = Image::from_channels(pixels.view()).unwrap();
    let lowhigh = options().normalize(Normalize::default().lowhigh(Some([[5.0, 700.0], [0.0, 900.0]])));
    // SAFETY: as the image says.
    let run = |image: DeviceImage, options: &Options| unsafe {
        segmenter.segment_on_device(0, &[image], options, &mut |_| true)
    };
    for options in [lowhigh.clone().channels([1, 0]), lowhigh.channels([2, 1]).all_channels(true)] {
        let found = run(image, &options).unwrap().remove(0).unwrap();
        assert!(found.segmentation == segmenter.segment(&host, &options).unwrap());
    }
    // Without masks, the place for labels stays as it is.
    let labels = Memory::of(&gpu, &[7_u32; 31 * 35]);
    image.labels = Some((labels.address(), 35 * 4));
    let maps = options().compute_masks(false);
    let found = run(image, &maps).unwrap().remove(0).unwrap();
    assert!(found.cells == 0 && found.segmentation == segmenter.segment(&host, &maps).unwrap());
    assert!(labels.read::<u32>().iter().all(|&label| label == 7));
    for normalize in [Normalize::default().smooth_radius(2.0), Normalize::default().tile_norm_blocksize(50)] {
        let said = run(image, &options().normalize(normalize)).unwrap_err().to_string();
        assert!(said.contains("on the processor"), "{said}");
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn work_that_is_stopped_leaves_the_rest_cancelled() {
    let gpu = gpu();
    let segmenter = segmenter();
    let memory = Memory::of(&gpu, discs(31, 35, 12).as_slice().unwrap());
    let image = image_of(&memory, PixelType::U16, [31, 35, 2], 2);
    let options = options().batch_size(Some(1));
    for stop_at in [1, 3] {
        let mut calls = 0;
        let mut stop = |_| {
            calls += 1;
            calls < stop_at
        };
        // SAFETY: as the image says.
        let found = unsafe { segmenter.segment_on_device(0, &[image; 4], &options, &mut stop) }.unwrap();
        assert_eq!(calls, stop_at);
        assert!(matches!(found.last(), Some(Err(Error::Cancelled))), "{stop_at}");
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn what_the_device_cannot_read_is_refused() {
    let gpu = gpu();
    let segmenter = segmenter();
    let mut values = vec![1.0_f32; 6 * 7 * 2];
    values[(3 * 7 + 4) * 2 + 1] = f32::INFINITY;
    values[(5 * 7 + 1) * 2] = f32::NAN;
    let memory = Memory::of(&gpu, &values);
    let good = image_of(&memory, PixelType::F32, [6, 7, 2], 4);
    let mut values = vec![1.0_f32; 6 * 7 * 2];
    values[(2 * 7 + 6) * 2] = -2e30;
    let missing = Memory::of(&gpu, &values);
    let missing = image_of(&missing, PixelType::F32, [6, 7, 2], 4);
    let host = [0_u32; 64];
    let cases = [
        (good, "image: the pixel at row 3, column 4, channel 2 is inf"),
        (missing, "image: the pixel at row 2, column 6, channel 1 is -2e30, beyond the limit of 1e30"),
        (DeviceImage { shape: [0, 7, 2], ..good }, "no pixels"),
        (DeviceImage { shape: [1 << 20, 1 << 20, 1], ..good }, "of memory, but"),
        (DeviceImage { pixels: good.pixels + 2, ..good }, "no multiple of it"),
        (DeviceImage { strides: [57, 8, 4], ..good }, "no multiple of it"),
        (DeviceImage { pixels: host.as_ptr() as u64, ..good }, "not in the device's memory"),
        (DeviceImage { strides: [1 << 40, 8, 4], ..good }, "not in the device's memory"),
        // Not by a few rows: other memory of the device may lie just before.
        (DeviceImage { strides: [-(1 << 40), 8, 4], ..good }, "not in the device's memory"),
        (DeviceImage { labels: Some((host.as_ptr() as u64, 28)), ..good }, "the labels reach to"),
        (
            DeviceImage { labels: Some((good.pixels, 24)), ..good },
            "rows of 7 labels cannot be 24 bytes apart",
        ),
        (DeviceImage { labels: Some((good.pixels + 1, 28)), ..good }, "the labels are 4 bytes each"),
    ];
    for (image, reason) in cases {
        // SAFETY: what cannot be read is not.
        let found = unsafe { segmenter.segment_on_device(0, &[image], &options(), &mut |_| true) }.unwrap();
        let message = found.into_iter().next().unwrap().unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
    // SAFETY: nothing is read.
    let other = unsafe { segmenter.segment_on_device(1, &[good], &options(), &mut |_| true) };
    assert_eq!(other.unwrap_err().to_string(), "cuda:1: the model was not loaded onto it");
}

/// The caller's work before and after is in its stream, and nobody waits for it.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn work_is_in_order_with_the_callers_stream() {
    let gpu = gpu();
    let segmenter = segmenter();
    let pixels = discs(31, 35, 12);
    let want = expected(&segmenter, std::slice::from_ref(&pixels)).remove(0);
    let kept = Memory::of(&gpu, pixels.as_slice().unwrap());
    for order in 0..4 {
        schedule(order, false);
        let caller = gpu.fork().unwrap();
        let stream = caller.stream();
        let mut input = Memory::of(&caller, &vec![0_u16; pixels.len()]);
        let (labels, mut copy) =
            (Memory::of(&caller, &[7_u32; 31 * 35]), Memory::of(&caller, &[0_u32; 31 * 35]));
        let mut image = image_of(&input, PixelType::U16, [31, 35, 2], 2);
        image.labels = Some((labels.address(), 35 * 4));
        stream.memcpy_dtod(&kept.slice, &mut input.slice).unwrap();
        // SAFETY: as the image says.
        let found = unsafe { segmenter.segment_on_device(0, &[image], &options(), &mut |_| true) }.unwrap();
        assert_eq!(found[0].as_ref().unwrap().cells, want.cells(), "order {order}");
        stream.memset_zeros(&mut input.slice).unwrap();
        stream.memcpy_dtod(&labels.slice, &mut copy.slice).unwrap();
        assert_eq!(copy.read::<u32>(), want.masks.as_slice().unwrap(), "order {order}");
    }
}
