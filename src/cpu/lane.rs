//! The lane of the CPU.

use std::sync::Arc;

use super::backend::Cpu;
use super::conv::Isa;
use super::network::Unet;
use crate::lanes::{Lane, Lanes};
use crate::pipeline::{Engine, Segmented};
use crate::pool::Pool;
use crate::volume::{Found, pipeline};
use crate::watch::Watch;
use crate::{Device, Image, Model, Options, Result};

/// A lane that uses all threads of the pool.
struct CpuLane {
    engine: Engine<Cpu>,
    pool: Pool,
}

/// One lane, of a model and another one for the planes of volumes across y and x, to which others can be added while
/// it is busy; all share the weights and the threads. One image uses all threads, so a second lane would not make it
/// faster.
pub(crate) fn lanes(model: &Model, ortho: Option<&Model>, isa: Option<Isa>, pool: Pool) -> Lanes {
    let unet = |model: &Model| Arc::new(Unet::new(model.network(), isa.unwrap_or_else(Isa::best)));
    let (unet, ortho) = pool.install(|| (unet(model), ortho.map(unet)));
    let (model, threads) = (model.clone(), pool.clone());
    let lane = move || -> Box<dyn Lane> {
        let engine = Engine::new(model.clone(), Cpu::new(unet.clone(), ortho.clone()));
        Box::new(CpuLane { engine, pool: threads.clone() })
    };
    Lanes::new(vec![lane()], Some(Box::new(lane)), pool)
}

impl Lane for CpuLane {
    fn device(&self) -> Device {
        Device::Cpu
    }

    fn tiles(&self, _: &Options) -> usize {
        1
    }

    fn segment(&mut self, images: &[&Image], options: &Options, watch: &Watch) -> Vec<Result<Segmented>> {
        let CpuLane { engine, pool } = self;
        engine.backend.hold(images, options);
        // One after the other, because each takes all threads and the memory of its maps.
        let one = |(i, &image): (usize, &&Image)| {
            watch.begin(i, images.len());
            engine.segment(&[image], options, watch)
        };
        pool.install(|| images.iter().enumerate().flat_map(one).collect())
    }

    fn volume(&mut self, planes: &[&Image], scale: f64, options: &Options, watch: &Watch) -> Result<Found> {
        let CpuLane { engine, pool } = self;
        pool.install(|| pipeline::segment(&mut engine.backend, planes, scale, options, watch))
    }

    fn restore(&mut self, image: &Image, scale: f64, options: &Options, watch: &Watch) -> Result<Vec<f32>> {
        let CpuLane { engine, pool } = self;
        engine.backend.hold(&[image], options);
        pool.install(|| engine.restore(image, scale, options, watch))
    }

    fn style(&mut self, images: &[&Image], options: &Options) -> Vec<Result<Vec<f32>>> {
        let CpuLane { engine, pool } = self;
        engine.backend.hold(images, options);
        let one = |&image: &&Image| engine.style(&[image], options);
        pool.install(|| images.iter().flat_map(one).collect())
    }
}
