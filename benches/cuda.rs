//! Measures each stage on a GPU, and whole images: `cargo bench --bench cuda`. The name of a bench ends in its roof:
//! the least time that the card's memory needs for the bytes, or its cores for the operations, that the stage cannot
//! avoid.

mod common;

use std::time::{Duration, Instant};

use common::discs;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cudarc::driver::sys::CUdevice_attribute as Attribute;
use flowmask::cuda::conv::chosen;
use flowmask::cuda::network::{State, Unet, forward};
use flowmask::cuda::{Buffer, Gpu, Pinned, blend, cluster, components, flow_error, follow, normalize, tiles};
use flowmask::plan::grid::Grid;
use flowmask::{
    Compat, Device, Error, Model, Normalize, Options, Precision, Sampling, Segmentation, Segmenter,
};

/// Largest number of tiles of a batch.
const BATCH: usize = 64;
/// Multiplications and additions of the network on a tile of 224×224.
const TILE_FLOP: f64 = 31e9;

/// Height and width of the image that the stages work on, in pixels: 2048, or for a try on the emulator what
/// `FLOWMASK_BENCH_SIDE` says.
fn image_side() -> usize {
    std::env::var("FLOWMASK_BENCH_SIDE")
        .map_or(2048, |side| side.parse().expect("FLOWMASK_BENCH_SIDE is a number"))
}

/// The highest rates that the card can reach.
struct Roofs {
    bytes_a_second: f64,
    /// The rates in half precision on the tensor cores, and in single precision.
    flop_a_second: [f64; 2],
}

impl Roofs {
    fn of(gpu: &Gpu) -> Self {
        let get = |which| f64::from(gpu.context().attribute(which).unwrap());
        let khz = get(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE) * 1e3;
        let units = get(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) * khz;
        let memory = get(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE) * 1e3;
        let (major, minor) = gpu.context().compute_capability().unwrap();
        // FLOP of a multiprocessor per clock, from the tables of the CUDA programming guide. A fused multiplication and
        // addition counts as two.
        let [half, single] = match (major, minor) {
            (8, 0) => [2048.0, 128.0],
            (8, _) => [1024.0, 256.0],
            _ => [4096.0, 256.0],
        };
        Roofs {
            // The memory transfers data twice per clock.
            bytes_a_second: 2.0 * memory * get(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH) / 8.0,
            flop_a_second: [half * units, single * units],
        }
    }

    fn bytes(&self, bytes: usize) -> String {
        roof(bytes as f64 / self.bytes_a_second)
    }

    fn flop(&self, precision: Precision, flop: f64) -> String {
        roof(flop / self.flop_a_second[usize::from(precision == Precision::F32)])
    }
}

fn roof(seconds: f64) -> String {
    format!("roof {:.1} us", seconds * 1e6)
}

fn segmenter(device: Device) -> Segmenter {
    Segmenter::builder().model(Model::named("nuclei").unwrap()).devices([device]).build().unwrap()
}

/// Times `n` launches together, so that the start of one overlaps with the run of another, as in real use.
fn timed(gpu: &Gpu, n: u64, mut stage: impl FnMut()) -> Duration {
    gpu.synchronize().unwrap();
    let start = Instant::now();
    (0..n).for_each(|_| stage());
    gpu.synchronize().unwrap();
    start.elapsed()
}

/// The GPU, or `None` where nothing is measured, which is said. With `FLOWMASK_REQUIRE_GPU` that is a failure.
fn gpu() -> Option<Gpu> {
    let required = std::env::var_os("FLOWMASK_REQUIRE_GPU").is_some_and(|value| !value.is_empty());
    // With the kernels that a run would take.
    match Gpu::open(0).and_then(|gpu| Ok(gpu.clone().choosing(chosen(&gpu)?))) {
        Ok(gpu) => Some(gpu),
        Err(error) if required => {
            eprintln!("FLOWMASK_REQUIRE_GPU is set, and no GPU opens: {error}");
            std::process::exit(1)
        }
        Err(error) => {
            println!("left out: {error}");
            None
        }
    }
}

fn stages(c: &mut Criterion) {
    let Some(gpu) = gpu() else { return };
    let roofs = Roofs::of(&gpu);
    println!(
        "{}: {:.0} GB/s, {:.0} TFLOP/s in half precision",
        gpu.name().unwrap(),
        roofs.bytes_a_second / 1e9,
        roofs.flop_a_second[0] / 1e12
    );
    the_network(c, &gpu, &roofs);
    before_and_between(c, &gpu, &roofs);
    after(c, &gpu, &roofs);
}

fn the_network(c: &mut Criterion, gpu: &Gpu, roofs: &Roofs) {
    let side = image_side();
    let model = Model::named("nuclei").unwrap();
    let grid = Grid::new(side, side, 224, 0.1, false);
    let batch = BATCH.min(grid.tiles().len());
    let pixels: Vec<f32> = (0..2 * side * side).map(|i| (i * 7919 % 97) as f32 / 97.0).collect();
    let pixels = Buffer::of(gpu, &pixels).unwrap();
    let mut group = c.benchmark_group("network");
    group.sample_size(20).throughput(Throughput::Elements(batch as u64));
    for precision in [Precision::F16, Precision::F32] {
        let unet = Unet::new(gpu, model.network(), precision).unwrap();
        let mut state = State::new(gpu, &unet, batch, (224, 224)).unwrap();
        let some = &grid.tiles()[..batch];
        let bytes = batch * 224 * 224 * 16 * if precision == Precision::F16 { 2 } else { 4 };
        group.bench_function(format!("tiles {precision:?} {}", roofs.bytes(bytes)), |b| {
            b.iter_custom(|n| {
                timed(gpu, n, || {
                    tiles::tiles(gpu, &pixels, [side, side, 2], &grid, some, 0, &mut state.input).unwrap();
                })
            });
        });
        group.bench_function(
            format!("{precision:?} {}", roofs.flop(precision, TILE_FLOP * batch as f64)),
            |b| {
                b.iter_custom(|n| timed(gpu, n, || forward(gpu, &unet, &mut state, batch).unwrap()));
            },
        );
    }
    group.finish();
}

fn before_and_between(c: &mut Criterion, gpu: &Gpu, roofs: &Roofs) {
    let side = image_side();
    let mut group = c.benchmark_group("around the network");
    group.throughput(Throughput::Elements((side * side) as u64));
    let values: Vec<f32> = (0..2 * side * side).map(|i| (i * 7919 % 4099) as f32).collect();
    let (mut pixels, mut scratch) = (Buffer::of(gpu, &values).unwrap(), normalize::Scratch::default());
    group.bench_function(format!("normalize {}", roofs.bytes(2 * side * side * 4 * 5)), |b| {
        let options = (&Normalize::default(), Compat::None);
        b.iter_custom(|n| {
            timed(gpu, n, || {
                normalize::normalize(gpu, &mut pixels, side, side, 2, options, &mut scratch).unwrap();
            })
        });
    });
    let grid = Grid::new(side, side, 224, 0.1, false);
    let values = Buffer::of(gpu, &vec![0.5f32; grid.tiles().len() * 3 * grid.tile.0 * grid.tile.1]).unwrap();
    let (mut out, mut scratch) = (Buffer::new(), blend::Scratch::default());
    group.bench_function(format!("blend {}", roofs.bytes(4 * (values.len() + 3 * side * side))), |b| {
        b.iter_custom(|n| {
            timed(gpu, n, || blend::blend(gpu, &values, &grid, 3, &mut out, &mut scratch).unwrap())
        });
    });
    group.finish();
}

fn after(c: &mut Criterion, gpu: &Gpu, roofs: &Roofs) {
    let side = image_side();
    let found = segmenter(Device::Cuda(0)).segment(&discs(side), &Options::default()).unwrap();
    let Segmentation { masks, flows, cellprob, .. } = found;
    let maps: Vec<f32> = flows.iter().chain(&cellprob).copied().collect();
    let (maps, labels) = (Buffer::of(gpu, &maps).unwrap(), masks.into_raw_vec_and_offset().0);
    let (size, max_label) = ((side, side), cluster::max_label((side, side)));
    let mut group = c.benchmark_group("after the network");
    group.throughput(Throughput::Elements((side * side) as u64));
    let (mut points, mut scratch) = (follow::Points::default(), follow::Scratch::default());
    for sampling in [Sampling::Bilinear, Sampling::GridSample] {
        group.bench_function(format!("follow {sampling:?} {}", roofs.bytes(side * side * 4 * 6)), |b| {
            b.iter_custom(|n| {
                timed(gpu, n, || {
                    follow::follow(gpu, &maps, size, 0.0, 200, sampling, &mut points, &mut scratch).unwrap();
                })
            });
        });
    }
    let (mut out, mut scratch) = (Buffer::new(), cluster::Scratch::default());
    group.bench_function(format!("cluster {}", roofs.bytes(side * side * 4 * 10)), |b| {
        b.iter_custom(|n| {
            timed(gpu, n, || cluster::cluster(gpu, &points, size, 0.4, &mut out, &mut scratch).unwrap())
        });
    });
    let mut device_labels = Buffer::of(gpu, &labels).unwrap();
    let mut scratch = flow_error::Scratch::default();
    group.bench_function(format!("flow_error {}", roofs.bytes(side * side * 4 * 3)), |b| {
        b.iter_custom(|n| {
            timed(gpu, n, || {
                let check = (&maps, f64::INFINITY);
                flow_error::drop_bad_flows(gpu, &mut device_labels, size, max_label, check, &mut scratch)
                    .unwrap();
            })
        });
    });
    let mut scratch = components::Scratch::default();
    group.bench_function(format!("components {}", roofs.bytes(side * side * 4 * 8)), |b| {
        b.iter_custom(|n| {
            timed(gpu, n, || {
                let choice = (15, Compat::None);
                components::fill_holes_and_drop_small(
                    gpu,
                    &mut device_labels,
                    size,
                    max_label,
                    choice,
                    &mut scratch,
                )
                .unwrap();
            })
        });
    });
    group.finish();
}

/// Measures how results come to the host: to arrays that are fresh, and to those of an earlier result.
fn results(c: &mut Criterion) {
    let Some(gpu) = gpu() else { return };
    let side = image_side();
    let (mut pinned, mut group) = (Pinned::default(), c.benchmark_group("results"));
    for (name, values) in [("labels", side * side), ("flows and cellprob", 3 * side * side)] {
        let found = Buffer::of(&gpu, &vec![1_u32; values]).unwrap();
        group.throughput(Throughput::Bytes(4 * values as u64));
        group.bench_function(format!("{name}, fresh"), |b| {
            b.iter(|| drop(pinned.download(&gpu, &found).unwrap()));
        });
        let mut again = vec![0; values];
        group.bench_function(format!("{name}, again"), |b| {
            b.iter(|| pinned.download_to(&gpu, &found, &mut [&mut again]).unwrap());
        });
    }
    group.finish();
}

/// Measures whole images, from pixels in the host's memory to labels in the host's memory.
fn whole_images(c: &mut Criterion) {
    if gpu().is_none() {
        return;
    }
    let segmenter = segmenter(Device::Cuda(0));
    let options = Options::default().flows(false);
    let mut group = c.benchmark_group("segment on cuda");
    group.sample_size(10);
    for side in [256, 1024, 4096] {
        let image = discs(side);
        group.throughput(Throughput::Elements((side * side) as u64));
        let mut found = Segmentation::default();
        group.bench_function(format!("{side}"), |b| {
            b.iter(|| segmenter.segment_into(&image, &options, &mut found).unwrap());
        });
    }
    let image = discs(512);
    group.throughput(Throughput::Elements(64 * 512 * 512));
    group.bench_function("64 of 512", |b| {
        b.iter(|| {
            let files = (0..64).map(|_| || Ok::<_, Error>(vec![image.clone()]));
            let done = |_, found: Result<(_, Vec<Segmentation>), _>| {
                found.unwrap().1.into_iter().for_each(|found| segmenter.recycle(found));
            };
            segmenter.segment_many(files, &options, done).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, results, stages, whole_images);
criterion_main!(benches);
