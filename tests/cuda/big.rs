//! Shapes of real use, and odd ones: too much for the emulator, so they are for a GPU.
//!
//! `FLOWMASK_TEST_SMALL=N` divides each side by N, so that the emulator runs the same tests.

use std::time::Instant;

use flowmask::cpu::channels::channels as expected_channels;
use flowmask::cpu::resize as expected_resize;
use flowmask::cuda::channels::{Raw, channels};
use flowmask::cuda::conv::{self, VARIANTS, Variant};
use flowmask::cuda::network::Unet;
use flowmask::cuda::{Buffer, Gpu, Pinned, flow_error, resize};
use flowmask::plan::grid::Grid;
use flowmask::{Compat, Device, Image, Model, Normalize, Options, Pixels, Precision, Segmenter};
use ndarray::Array3;

use crate::channels::{assert_bits, noise};
use crate::components::first_difference;
use crate::device::gpu;
use crate::{blend, cluster, components, follow, network, normalize, parts, scene, tiles, volume};

type Size = (usize, usize);

/// What `FLOWMASK_TEST_SMALL` divides by.
pub fn divisor() -> usize {
    std::env::var("FLOWMASK_TEST_SMALL")
        .map_or(1, |text| text.parse().expect("FLOWMASK_TEST_SMALL is a number"))
}

fn divided(side: usize) -> usize {
    // Odd sides stay odd.
    if divisor() == 1 { side } else { (side / divisor()).max(1) | (side % 2) }
}

/// A large image, two that are longer than the 65,535 blocks of a grid along y, and a square of a power of two.
fn sizes() -> [Size; 4] {
    [(4099, 3001), (1, 70_001), (70_001, 1), (2048, 2048)]
        .map(|(height, width)| (divided(height), divided(width)))
}

fn pixels((height, width): Size) -> usize {
    height * width
}

/// Discs of all sizes up to a pitch, every third with a hole, and in every sixth hole another disc.
fn discs(size: Size) -> Vec<u32> {
    const PITCH: usize = 29;
    let across = size.1.div_ceil(PITCH);
    let label = |i: usize| {
        let (y, x) = (i / size.1, i % size.1);
        let disc = y / PITCH * across + x / PITCH;
        let distance = (y % PITCH).abs_diff(PITCH / 2).pow(2) + (x % PITCH).abs_diff(PITCH / 2).pow(2);
        let radius = (disc * 7919 % (PITCH / 2 + 1)).pow(2);
        let (hollow, ring) = (disc.is_multiple_of(3), 9 * distance > radius);
        match 9 * distance < 3 * radius {
            _ if distance > radius => 0,
            true if hollow && ring => 0,
            true if hollow => (disc % 6 / 3 * (2 * disc + 2)) as u32,
            _ => 2 * disc as u32 + 1,
        }
    };
    (0..pixels(size)).map(label).collect()
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn channels_of_large_images() {
    let gpu = gpu();
    let (mut raw, mut out) = (Raw::default(), Buffer::new());
    for size in sizes() {
        let values = noise(3 * pixels(size), 1);
        let image = Array3::from_shape_vec((size.0, size.1, 3), values).unwrap();
        for stored in [Pixels::U16(image.mapv(|v| (v * 65_535.0) as u16)), Pixels::F32(image)] {
            raw.upload(&gpu, &stored, &mut Pinned::default()).unwrap();
            let image = Image::new(stored).unwrap();
            for choice in [[0, 0], [2, 3]] {
                channels(&gpu, &raw, size, 3, choice, 2, &mut out).unwrap();
                let want = expected_channels(&image, choice, 2).unwrap();
                assert_bits(&format!("{size:?}, {choice:?}"), &out.download(&gpu).unwrap(), &want);
            }
        }
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn normalize_of_large_images() {
    let gpu = gpu();
    let mut scratch = flowmask::cuda::normalize::Scratch::default();
    for size in sizes() {
        let values = noise(2 * pixels(size), 2).iter().map(|v| (v * 65_535.0).floor()).collect();
        normalize::compare(&gpu, &([size.0, size.1, 2], values), &Normalize::default(), &mut scratch);
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn resize_of_large_images() {
    let gpu = gpu();
    let (mut out, mut labels_out) = (Buffer::new(), Buffer::new());
    let scaled = |(height, width): Size, by: f64| {
        let side = |side: usize| ((side as f64 * by) as usize).max(1);
        (side(height), side(width))
    };
    for (size, by) in sizes().into_iter().flat_map(|size| [(size, 0.37), (size, 1.31)]) {
        let (to, values) = (scaled(size, by), noise(2 * pixels(size), 3));
        let source = Buffer::of(&gpu, &values).unwrap();
        resize::linear(&gpu, &source, size, to, 2, &mut out).unwrap();
        let want = expected_resize::linear(&values, size, to, 2);
        assert_bits(&format!("{size:?} to {to:?}"), &out.download(&gpu).unwrap(), &want);
        let labels = discs(size);
        resize::nearest(&gpu, &Buffer::of(&gpu, &labels).unwrap(), size, to, &mut labels_out).unwrap();
        let want = expected_resize::nearest(&labels, size, to);
        first_difference(&format!("{size:?} to {to:?}"), &labels_out.download(&gpu).unwrap(), &want, to);
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn tiles_of_large_images() {
    let gpu = gpu();
    for (height, width) in [(1501, 999), (1, 7001)].map(|(height, width)| (divided(height), divided(width))) {
        let side = if divisor() == 1 { 224 } else { 32 };
        tiles::Case::new([height, width, 2], Grid::new(height, width, side, 0.1, true)).compare(&gpu);
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn blend_of_large_images() {
    let gpu = gpu();
    let (mut out, mut scratch) = (Buffer::new(), flowmask::cuda::blend::Scratch::default());
    let side = if divisor() == 1 { 224 } else { 32 };
    for size in sizes() {
        let grid = Grid::new(size.0, size.1, side, 0.1, false);
        let values = noise(grid.tiles().len() * 3 * grid.tile.0 * grid.tile.1, 8);
        let source = Buffer::of(&gpu, &values).unwrap();
        flowmask::cuda::blend::blend(&gpu, &source, &grid, 3, &mut out, &mut scratch).unwrap();
        assert_bits(&format!("{size:?}"), &out.download(&gpu).unwrap(), &blend::expected(&values, &grid, 3));
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn follow_through_large_images() {
    let gpu = gpu();
    let mut memory = follow::Memory::default();
    for size in sizes() {
        let mut maps: Vec<f32> = noise(3 * pixels(size), 5).iter().map(|v| 10.0 * v - 5.0).collect();
        // Flows to the middles of squares in half of the image.
        for i in 0..pixels(size) / 2 {
            let towards = |at: usize| 14.0 - (at % 29) as f32;
            (maps[i], maps[pixels(size) + i]) = (towards(i / size.1), towards(i % size.1));
        }
        follow::check(&gpu, &mut memory, "large", &maps, size, 0.0, 200);
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn cluster_of_large_images() {
    let gpu = gpu();
    let mut scratch = flowmask::cuda::cluster::Scratch::default();
    for size in sizes() {
        for (pitch, spread) in [(5, 2), (16, 6)] {
            let points = cluster::crowds(size, pitch, spread);
            cluster::check(&gpu, &mut scratch, &format!("crowds {pitch}"), &points, size, 0.4);
        }
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn flow_error_of_large_images() {
    let gpu = gpu();
    let mut scratch = flow_error::Scratch::default();
    for size in sizes() {
        let (labels, maps) = (discs(size), crate::flow_error::maps(pixels(size)));
        crate::flow_error::check(&gpu, &format!("{size:?}"), &labels, size, &maps, &mut scratch);
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn parts_of_large_images() {
    let gpu = gpu();
    let mut scratch = flowmask::cuda::parts::Scratch::default();
    for (i, size) in sizes().into_iter().enumerate() {
        parts::check(&gpu, "discs", &discs(size), size, &mut scratch);
        parts::check(&gpu, "dust", &parts::dust(pixels(size), 4, i as u64), size, &mut scratch);
    }
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn components_of_large_images() {
    let gpu = gpu();
    let mut scratch = flowmask::cuda::components::Scratch::default();
    for size in sizes() {
        for how in [(15, Compat::None), (15, Compat::V3_1_1)] {
            components::fill(&gpu, &format!("{size:?}"), &discs(size), size, how, &mut scratch);
        }
    }
}

/// A volume of a microscope, and volumes that are long along each axis.
fn volumes() -> [volume::Size; 4] {
    [[61, 509, 517], [2, 70_001, 3], [3, 2, 70_001], [70_001, 2, 3]].map(|size| size.map(divided))
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=20"]
fn stages_of_large_volumes() {
    let gpu = gpu();
    let (mut walks, mut masks) = (volume::follow::Memory::default(), Default::default());
    let (mut pieces, mut holes, mut errors) = Default::default();
    for size in volumes() {
        let n = volume::voxels(size);
        // Flows to the middles of cubes in half of the volume.
        let towards = volume::volume(size, |at| at.map(|i| 14.0 - (i % 29) as f32));
        let flow = |axis: usize, i: usize| if i < n / 2 { towards[i][axis] } else { 10.0 * follow::noise(i) };
        let flows = (0..3).flat_map(|axis| (0..n).map(move |i| (axis, i))).map(|(axis, i)| flow(axis, i));
        let maps: Vec<f32> = flows.chain((0..n).map(|i| follow::noise(i) + 0.5)).collect();
        volume::follow::check(&gpu, &mut walks, "large", &maps, size, 0.0, 200);
        let crowds = volume::cluster::crowds(size, 7, 4);
        volume::cluster::check(&gpu, &mut masks, "large", &crowds, size, 0.4);
        let labels = volume::volume(size, |at| {
            let [cell, place] = [at.map(|i| i / 13), at.map(|i| (i % 13).abs_diff(6).pow(2))];
            let distance: usize = place.iter().sum();
            let number = ((cell[0] * 7919 + cell[1]) * 7919 + cell[2]) as u32 % 9973 + 1;
            if distance > 36 || distance < 5 && number.is_multiple_of(3) { 0 } else { number }
        });
        volume::parts::check(&gpu, "large", &labels, size, &mut pieces);
        for compat in [Compat::None, Compat::V3_1_1] {
            volume::components::fill(&gpu, "large", &labels, size, (15, compat), &mut holes);
        }
        volume::flow_error::check(&gpu, "large", &labels, size, &maps, &mut errors);
    }
}

/// Planes of more pixels than an `f32` counts, which the flow check stretches along z.
#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=20"]
fn flow_check_of_large_planes() {
    let gpu = gpu();
    let size = [2, 5003, 5007].map(divided);
    let across = size[2].div_ceil(13);
    let labels = volume::volume(size, |[_, y, x]| {
        let distance = (y % 13).abs_diff(6).pow(2) + (x % 13).abs_diff(6).pow(2);
        if distance > 36 { 0 } else { (y / 13 * across + x / 13 + 1) as u32 }
    });
    let maps = volume::flow_error::maps(volume::voxels(size));
    volume::flow_error::check(&gpu, "large planes", &labels, size, &maps, &mut Default::default());
}

/// More voxels than an `i32` counts: what is known of a few of them, at both ends.
#[test]
#[ignore = "takes a GPU of 100 GB, or FLOWMASK_TEST_SMALL=100"]
fn volumes_of_three_billion_voxels() {
    let gpu = gpu();
    let size = [3, divided(32_771), divided(32_771)];
    let [_, height, width] = size;
    let (n, most) = (volume::voxels(size), 9);
    let at = |z: usize, y: usize, x: usize| (z * height + y) * width + x;
    let three = |labels: &Buffer<u32>, first: usize| {
        let mut out = Buffer::of(&gpu, &[7; 3]).unwrap();
        labels.copy_to(&gpu, first, &mut out, 0, 3).unwrap();
        out.download(&gpu).unwrap()
    };
    // A hollow cube near the last corner, with a voxel far off, and a voxel in the last corner.
    let mut labels = Buffer::new();
    labels.zeros(&gpu, n).unwrap();
    let mut put = |first: usize, row: &[u32]| {
        Buffer::of(&gpu, row).unwrap().copy_to(&gpu, 0, &mut labels, first, row.len()).unwrap();
    };
    let rows: Vec<usize> = (0..9).map(|row| at(row / 3, height - 5 + row % 3, width - 5)).collect();
    rows.iter().enumerate().for_each(|(i, &row)| put(row, &[5, if i == 4 { 0 } else { 5 }, 5]));
    put(0, &[5]);
    put(n - 1, &[most]);
    let mut scratch = Default::default();
    flowmask::cuda::volume::parts::keep_largest_parts(&gpu, &mut labels, size, most, &mut scratch).unwrap();
    drop(scratch);
    assert_eq!((three(&labels, 0), three(&labels, n - 3)), (vec![0; 3], vec![0, 0, most]));
    let mut scratch = flowmask::cuda::volume::components::Scratch::default();
    let how = (2, Compat::None);
    flowmask::cuda::volume::components::fill_holes_and_drop_small(
        &gpu,
        &mut labels,
        size,
        most,
        how,
        &mut scratch,
    )
    .unwrap();
    assert!(rows.iter().all(|&row| three(&labels, row) == [1; 3]));
    assert_eq!(three(&labels, n - 3), [0; 3]);
    flowmask::cuda::volume::components::drop_edges(&gpu, &mut labels, size, 1, &mut scratch).unwrap();
    assert!(rows.iter().all(|&row| three(&labels, row) == [0; 3]));
    drop(scratch);
    // Twenty walks that end in the last corner.
    let starts: Vec<u32> = (n - 20..n).map(|i| i as u32).collect();
    let end = size.map(|length| (length - 1) as f32);
    let points = flowmask::cuda::volume::follow::Points {
        voxels: Buffer::of(&gpu, &starts).unwrap(),
        ends: Buffer::of(&gpu, &[end; 20]).unwrap(),
        count: Buffer::of(&gpu, &[20]).unwrap(),
    };
    let mut scratch = Default::default();
    flowmask::cuda::volume::cluster::cluster(&gpu, &points, size, 0.4, &mut labels, &mut scratch).unwrap();
    assert_eq!((three(&labels, n - 21), three(&labels, n - 3)), (vec![0, 1, 1], vec![1; 3]));
}

/// As many tiles as a batch of real use has. Some of them against the processor's, all of both precisions against each
/// other, and the last alone.
#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn network_of_a_full_batch() {
    let gpu = gpu();
    let (count, side) = if divisor() == 1 { (64, 224) } else { (3, 16) };
    let model = if divisor() == 1 { Model::named("nuclei").unwrap() } else { scene::tiny() };
    let (tile, network) = ((side, side), model.network());
    let input = network::tiles(count, tile, network.nbase[0]);
    let single = Unet::new(&gpu, network, Precision::F32).unwrap();
    let f32 = network::run(&gpu, &single, &input, tile);
    let mut most = [0.0f32; 2];
    for n in (0..count).step_by(count.div_ceil(4)) {
        let want = network::on_cpu(network, &input[n], tile);
        most[0] = most[0].max(network::part(&format!("tile {n}"), &f32[n], &want, network::F32));
    }
    let alone = |gpu: &Gpu, unet: &Unet| network::run(gpu, unet, &input[count - 1..], tile).remove(0);
    network::same("the last tile", &f32[count - 1], &alone(&gpu, &single));
    // All variants that the card has.
    let pinned = |variant: &Variant| Some((variant.name, conv::pinned(&gpu, variant.name).ok()?));
    let variants: Vec<_> = VARIANTS.iter().filter_map(pinned).collect();
    assert!(variants.len() >= 2, "{variants:?}");
    for (name, choice) in variants {
        let gpu = gpu.clone().choosing(choice);
        let half = Unet::new(&gpu, network, Precision::F16).unwrap();
        let f16 = network::run(&gpu, &half, &input, tile);
        for (n, (half, single)) in f16.iter().zip(&f32).enumerate() {
            let what = format!("tile {n} in half by {name}");
            most[1] = most[1].max(network::part(&what, half, single, network::F16));
        }
        network::same(&format!("the last tile by {name}"), &f16[count - 1], &alone(&gpu, &half));
    }
    println!("{count} tiles: {:.3} of the bound in single precision, {:.3} in half", most[0], most[1]);
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn segment_of_a_large_image() {
    let gpu = gpu();
    let size = if divisor() == 1 { (4099, 3001) } else { (41, 31) };
    let image = Image::from_channels(scene::discs(size.0, size.1, 22).view()).unwrap();
    let model = if divisor() == 1 { Model::named("nuclei").unwrap() } else { scene::tiny() };
    let options = if divisor() == 1 { Options::default() } else { scene::options() };
    let found = [Device::Cpu, Device::Cuda(0)].map(|device| {
        let segmenter = Segmenter::builder().model(model.clone()).devices([device]).precision(Precision::F32);
        let (segmenter, begin) = (segmenter.build().unwrap(), Instant::now());
        let found = segmenter.segment(&image, &options).unwrap();
        println!("{device:?}: {} cells, {:.2} s", found.cells(), begin.elapsed().as_secs_f64());
        found
    });
    drop(gpu);
    crate::golden::assert_maps("large", &found[1], &found[0]);
    let [want, got] = found.map(|found| found.masks.into_raw_vec_and_offset().0);
    follow::common::assert_same_masks("large", &got, &want);
}
