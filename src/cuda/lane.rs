//! The lanes of a segmenter that run on GPUs.

use std::sync::Arc;

use super::backend::{Cuda, Source};
use super::conv::{Choice, chosen, pinned};
use super::{Gpu, network};
use crate::lanes::{Lane, Lanes};
use crate::pipeline::{Engine, Segmented};
use crate::pool::Pool;
use crate::spares::Spares;
use crate::volume::{Found, pipeline};
use crate::watch::Watch;
use crate::{Device, Error, Image, Model, Options, Precision, Result};

/// The number of lanes of each GPU. While one lane copies an image or follows flows, the other one computes.
const STREAMS: usize = 2;

/// A lane that runs on one stream of a GPU.
pub(super) struct CudaLane(pub(super) Engine<Cuda>);

/// Opens the GPUs with these indices, copies the model to each, and the one for the planes of volumes across y and x, if that
/// is another one, and makes their lanes. `kernels` names the variant of the convolutions in half precision, which otherwise
/// is chosen by measurement, once for all GPUs of a kind. `compiling` is called while
/// the kernels are compiled, as in [`Compiler::compile_all`](super::nvrtc::Compiler::compile_all). `pool` prepares images.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device), and [`Error::Option`](crate::Error::Option) for kernels that cannot be used.
pub(crate) fn lanes(
    model: &Model,
    ortho: Option<&Model>,
    gpus: &[usize],
    precision: Precision,
    kernels: Option<&str>,
    compiling: &dyn Fn(usize, usize),
    pool: Pool,
) -> Result<Lanes> {
    let mut lanes: Vec<Box<dyn Lane>> = Vec::new();
    let mut known = Vec::new();
    let spares = Arc::new(Spares::new(gpus.len() * STREAMS));
    for &ordinal in gpus {
        let gpu = Gpu::open_with(ordinal, compiling)?;
        let gpu = match precision {
            Precision::F16 => choosing(gpu, kernels, &mut known)?,
            Precision::F32 => gpu,
        };
        let unet = |model: &Model| Ok(Arc::new(network::Unet::new(&gpu, model.network(), precision)?));
        let (unet, ortho) = (unet(model)?, ortho.map(unet).transpose()?);
        // The streams of the lanes do not wait for the stream that copies the weights.
        gpu.synchronize()?;
        for _ in 0..STREAMS {
            let backend = Cuda::new(gpu.fork()?, unet.clone(), ortho.clone(), spares.clone());
            lanes.push(Box::new(CudaLane(Engine::new(model.clone(), backend))));
        }
    }
    Ok(Lanes::new(lanes, None, pool).with(spares))
}

/// A kind of card, by name and compute capability, with what was chosen for it.
type Known = Vec<((String, (i32, i32)), Choice)>;

/// The GPU with the kernels that it is to use.
fn choosing(gpu: Gpu, kernels: Option<&str>, known: &mut Known) -> Result<Gpu> {
    if let Some(name) = kernels {
        let choice = pinned(&gpu, name)?;
        return Ok(gpu.choosing(choice));
    }
    let capability = gpu.context().compute_capability().map_err(|e| gpu.error(e))?;
    let kind = (gpu.name()?, capability);
    let choice = match known.iter().find(|(other, _)| *other == kind) {
        Some((_, choice)) => choice.clone(),
        None => chosen(&gpu)?,
    };
    known.push((kind, choice.clone()));
    Ok(gpu.choosing(choice))
}

impl Lane for CudaLane {
    fn device(&self) -> Device {
        self.0.backend.device()
    }

    fn tiles(&self, options: &Options) -> usize {
        self.0.backend.batch(options)
    }

    fn segment(&mut self, images: &[&Image], options: &Options, watch: &Watch) -> Vec<Result<Segmented>> {
        let mut found = self.0.segment(&on_host(images), options, watch);
        if images.len() > 1 {
            // What is too much together may fit one after the other.
            for (found, image) in found.iter_mut().zip(images) {
                if let Err(Error::Memory { .. }) = found {
                    *found = self.0.segment(&on_host(&[image]), options, watch).remove(0);
                }
            }
        }
        found
    }

    fn volume(&mut self, planes: &[&Image], scale: f64, options: &Options, watch: &Watch) -> Result<Found> {
        pipeline::segment(&mut self.0.backend, planes, scale, options, watch)
    }

    fn restore(&mut self, image: &Image, scale: f64, options: &Options, watch: &Watch) -> Result<Vec<f32>> {
        self.0.restore(Source::Host(image), scale, options, watch)
    }

    fn style(&mut self, images: &[&Image], options: &Options) -> Vec<Result<Vec<f32>>> {
        self.0.style(&on_host(images), options)
    }
}

fn on_host<'a>(images: &[&'a Image]) -> Vec<Source<'a>> {
    images.iter().map(|&image| Source::Host(image)).collect()
}
