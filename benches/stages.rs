//! Benchmarks of each stage on the CPU and of whole images. `cargo bench --bench stages -- network` runs one of them.

mod common;

use std::hint::black_box;

use common::discs;
use criterion::{
    BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use flowmask::cpu::{
    blend, channels, cluster, components, conv, flow_error, follow, input, network, normalize, parts, resize,
};
use flowmask::image::Layout;
use flowmask::output::{self, CellProperties, Format, Seg};
use flowmask::plan::grid::Grid;
use flowmask::{Compat, Error, Image, Model, Normalize, Options, Sampling, Segmentation, Segmenter, measure};
use ndarray::{Array2, Array3};

/// Height and width of the images for the stages before and after the network.
const SIDE: usize = 1024;

/// Floating point operations of the network on a tile of 224×224 pixels.
const TILE_FLOP: u64 = 31_000_000_000;

fn segmenter() -> Segmenter {
    Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap()
}

fn before_the_first_image(c: &mut Criterion) {
    let mut group = c.benchmark_group("start");
    group.bench_function("model", |b| b.iter(|| Model::named("nuclei").unwrap()));
    let model = Model::named("nuclei").unwrap();
    group.bench_function("layout", |b| {
        b.iter(|| network::Unet::new(model.network(), conv::Isa::best()));
    });
    group.finish();
}

fn before_the_network(c: &mut Criterion) {
    let mut group = c.benchmark_group("before");
    group.throughput(Throughput::Elements((SIDE * SIDE) as u64));
    let pixels: Vec<f32> = (0..2 * SIDE * SIDE).map(|i| (i * 7919 % 4099) as f32).collect();
    group.bench_function("normalize", |b| {
        let run = |mut p: Vec<f32>| {
            normalize::normalize(&mut p, SIDE, SIDE, 2, &Normalize::default(), Compat::None)
        };
        b.iter_batched(|| pixels.clone(), run, BatchSize::LargeInput);
    });
    let to = (SIDE * 3 / 4, SIDE * 3 / 4);
    group.bench_function("resize", |b| b.iter(|| resize::linear(black_box(&pixels), (SIDE, SIDE), to, 2)));
    let image = discs(SIDE);
    group.bench_function("input", |b| {
        let channels = channels::Channels::of(&image, [0, 0], 2).unwrap();
        let row = |y: usize, out: &mut [f32]| channels.row(y, 0..SIDE, out);
        let levels = normalize::levels(row, SIDE, SIDE, 2, &Normalize::default(), Compat::None);
        let input = input::Input::new(channels, &levels, (SIDE, SIDE), to);
        let grid = Grid::new(to.0, to.1, 224, 0.1, false);
        let mut tile = vec![0.0; 224 * 224 * 2];
        b.iter(|| {
            let mut scratch = input::Scratch::default();
            for place in grid.tiles() {
                grid.cut(|y, columns, out| input.row(y, columns, &mut scratch, out), 2, place, &mut tile);
            }
        });
    });
    let grid = Grid::new(SIDE, SIDE, 224, 0.1, false);
    let values = vec![0.5; 3 * 224 * 224];
    group.bench_function("blend", |b| {
        b.iter(|| {
            let mut blend = blend::Blend::new(&grid, 3);
            grid.tiles().into_iter().for_each(|tile| blend.add(tile, &values));
            blend.finish()
        });
    });
    group.finish();
}

fn the_network(c: &mut Criterion) {
    let model = Model::named("nuclei").unwrap();
    let unet = network::Unet::new(model.network(), conv::Isa::best());
    let mut state = network::State::new(&unet, 224, 224);
    state.set_input(&(0..2 * 224 * 224).map(|i| (i * 7919 % 97) as f32 / 97.0).collect::<Vec<f32>>());
    let mut out = vec![0.0; 3 * 224 * 224];
    let mut group = c.benchmark_group("network");
    group.sample_size(10).throughput(Throughput::Elements(TILE_FLOP));
    group.bench_function("tile", |b| b.iter(|| network::forward(&unet, &mut state, &mut out)));
    group.finish();
}

fn after_the_network(c: &mut Criterion) {
    let Segmentation { masks, flows, cellprob, .. } =
        segmenter().segment(&discs(SIDE), &Options::default()).unwrap();
    let (flows, cellprob) = (flows.as_slice().unwrap(), cellprob.as_slice().unwrap());
    let labels = masks.as_slice().unwrap();
    let mut group = c.benchmark_group("after");
    group.sample_size(20).throughput(Throughput::Elements((SIDE * SIDE) as u64));
    for sampling in [Sampling::Bilinear, Sampling::GridSample, Sampling::Nearest] {
        group.bench_function(BenchmarkId::new("follow", format!("{sampling:?}")), |b| {
            b.iter(|| follow::follow(flows, cellprob, (SIDE, SIDE), 0.0, 200, sampling));
        });
    }
    let points = follow::follow(flows, cellprob, (SIDE, SIDE), 0.0, 200, Sampling::Bilinear);
    group.bench_function("cluster", |b| b.iter(|| cluster::cluster(&points, (SIDE, SIDE), 0.4)));
    group.bench_function("flow_error", |b| b.iter(|| flow_error::flow_errors(labels, SIDE, flows)));
    group.bench_function("parts", |b| {
        let run = |mut l: Vec<u32>| {
            parts::keep_largest_parts(&mut l, SIDE);
            l
        };
        b.iter_batched(|| labels.to_vec(), run, BatchSize::LargeInput);
    });
    group.bench_function("components", |b| {
        let run = |mut l: Vec<u32>| components::fill_holes_and_drop_small(&mut l, SIDE, 15, Compat::None);
        b.iter_batched(|| labels.to_vec(), run, BatchSize::LargeInput);
    });
    group.finish();
}

/// Planes of 4000 by 4000 pixels with 20,164 cells each, which lie a little apart from plane to plane.
fn stitched(c: &mut Criterion) {
    const PLANES: usize = 6;
    let plane = |z: usize| {
        Array2::from_shape_fn((4000, 4000), |(y, x)| {
            let (y, x) = (y + 2 * z, x + 3 * z);
            let (dy, dx) = ((y % 28) as i32 - 14, (x % 28) as i32 - 14);
            if dy * dy + dx * dx < 140 { (y / 28 * 143 + x / 28 + 1) as u32 } else { 0 }
        })
    };
    let planes: Vec<_> = (0..PLANES).map(plane).collect();
    let mut group = c.benchmark_group("stitch");
    group.sample_size(10).throughput(Throughput::Elements(PLANES as u64));
    group.bench_function("planes of 20,000 cells", |b| {
        let run = |mut planes: Vec<Array2<u32>>| {
            let mut views: Vec<_> = planes.iter_mut().map(|plane| plane.view_mut()).collect();
            flowmask::stitch(&mut views, 0.25, Compat::None).unwrap();
            planes
        };
        b.iter_batched(|| planes.clone(), run, BatchSize::LargeInput);
    });
    group.finish();
}

/// 24,964 cells of an image of 8192 by 8192 pixels, as outlines and their files.
fn outputs(c: &mut Criterion) {
    const SIDE: usize = 8192;
    const PITCH: usize = 52;
    let label = |(y, x): (usize, usize)| {
        let (row, column) = (y / PITCH, x / PITCH);
        let (dy, dx) = ((y % PITCH) as i32 - 26, (x % PITCH) as i32 - 26);
        let square = 576 + (row * 7919 + column * 104_729) as i32 % 97;
        if dy * dy + dx * dx < square { (row * 158 + column + 1) as u32 } else { 0 }
    };
    let masks = Array2::from_shape_fn((SIDE, SIDE), label);
    let (planes, layout) = ([masks.view()], Layout::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut group = c.benchmark_group("outputs");
    group.sample_size(10).throughput(Throughput::Elements((SIDE * SIDE) as u64));
    group.bench_function("contours", |b| b.iter(|| output::contours(masks.view())));
    group.bench_function("polygons", |b| b.iter(|| output::polygons(masks.view())));
    group.bench_function("outlines", |b| b.iter(|| output::save_outline_text(&path, masks.view()).unwrap()));
    group.bench_function("rois", |b| b.iter(|| output::save_rois(&path, &planes, &layout).unwrap()));
    group.bench_function("masks", |b| b.iter(|| output::save_labels(&path, &planes, Format::Tif).unwrap()));
    let (flows, cellprob) = (Array3::zeros((2, SIDE, SIDE)), Array2::zeros((SIDE, SIDE)));
    let (flows, cellprob) = ([flows.view()], [cellprob.view()]);
    let seg = Seg::new(&planes, "file.tif", 30.0);
    group.bench_function("seg", |b| b.iter(|| output::save_seg(&path, &seg).unwrap()));
    let seg = seg.maps(&flows, &cellprob);
    group.bench_function("seg with maps", |b| b.iter(|| output::save_seg(&path, &seg).unwrap()));
    let properties = CellProperties::default();
    group.bench_function("geojson", |b| {
        b.iter(|| output::save_geojson(&path, &planes, &layout, &properties).unwrap());
    });
    group.finish();
}

fn whole_images(c: &mut Criterion) {
    let segmenter = segmenter();
    let mut group = c.benchmark_group("segment");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    // The largest take minutes and run only when they are named: `-- segment/8192`.
    let named = |side: usize| std::env::args().any(|word| word.ends_with(&side.to_string()));
    for side in [256, 512, 1024, 2048, 4096, 8192].into_iter().filter(|&side| side <= 1024 || named(side)) {
        let image = discs(side);
        group.throughput(Throughput::Elements((side * side) as u64));
        group.bench_function(BenchmarkId::from_parameter(side), |b| {
            b.iter(|| segmenter.segment(&image, &Options::default()).unwrap());
        });
    }
    let image = discs(256);
    group.throughput(Throughput::Elements(32 * 256 * 256));
    group.bench_function("32 of 256", |b| {
        b.iter(|| {
            let files = (0..32).map(|_| || Ok::<_, Error>(vec![image.clone()]));
            segmenter.segment_many(files, &Options::default(), |_, found| drop(found.unwrap())).unwrap();
        });
    });
    group.finish();
}

/// 25,600 cells of an image with one channel.
fn measured(c: &mut Criterion) {
    const SIDE: usize = 8192;
    let label = |(y, x): (usize, usize)| {
        let (dy, dx) = ((y % 51) as f32 - 25.0, (x % 51) as f32 - 25.0);
        let inside = dy * dy + dx * dx < 400.0 && y / 51 < 160 && x / 51 < 160;
        if inside { (y / 51 * 160 + x / 51 + 1) as u32 } else { 0 }
    };
    let labels = Array2::from_shape_fn((SIDE, SIDE), label);
    let pixels = Array2::from_shape_fn((SIDE, SIDE), |(y, x)| ((y * 7919 + x * 104_729) % 4099) as u16);
    let images = [Image::from_gray(pixels.view()).unwrap()];
    let inputs = measure::Inputs { images: &images, ..Default::default() };
    let mut group = c.benchmark_group("outputs");
    group.throughput(Throughput::Elements((SIDE * SIDE) as u64)).sample_size(10);
    group.bench_function("measure", |b| b.iter(|| measure::measure(labels.view(), &inputs).unwrap()));
    group.finish();
}

criterion_group!(
    benches,
    before_the_first_image,
    before_the_network,
    the_network,
    after_the_network,
    stitched,
    outputs,
    measured,
    whole_images
);
criterion_main!(benches);
