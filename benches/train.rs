//! Times a step of training on the CPU: `cargo bench --bench train`.

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use flowmask::Model;
use flowmask::train::{Batch, Optimizer, Trainer};

const IMAGES: usize = 8;
const SIDE: usize = 224;

/// Forward, backward and the step of eight tiles, with the network `nuclei`.
fn step(c: &mut Criterion) {
    let model = Model::named("nuclei").unwrap();
    let optimizer = Optimizer::Sgd { momentum: 0.9, weight_decay: 1e-5 };
    let mut trainer = Trainer::new(model.params().unwrap(), optimizer).unwrap();
    let values = |channels: usize| -> Vec<f32> {
        (0..IMAGES * channels * SIDE * SIDE).map(|i| (i * 7919 % 4099) as f32 / 2050.0 - 1.0).collect()
    };
    let (pixels, labels) = (values(2), values(3));
    let batch = Batch { images: IMAGES, height: SIDE, width: SIDE, pixels: &pixels, labels: &labels };
    let mut group = c.benchmark_group("train");
    group.throughput(Throughput::Elements(IMAGES as u64)).sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("step", |b| b.iter(|| trainer.step(&batch, 1e-3).unwrap()));
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
