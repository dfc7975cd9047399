//! Who does the work of a segmenter: lanes, each of which takes some images at a time from pixels to masks.

use std::sync::{Arc, Condvar, Mutex};

use rayon::ThreadPool;

use crate::backend::Source;
use crate::cpu::backend::Cpu;
use crate::cpu::network::Unet;
use crate::cuda::backend::Cuda;
use crate::cuda::{Gpu, network};
use crate::pipeline::{Engine, Segmented};
use crate::watch::Watch;
use crate::{Device, Error, Model, Options, Precision, Result};

/// Lanes of a GPU: while one copies an image or follows flows, the other has the tensor cores.
const STREAMS: usize = 2;

/// A pipeline with its memory.
pub(crate) enum Lane {
    /// Uses all threads of the pool.
    Cpu(Engine<Cpu>),
    /// Uses a stream of a GPU.
    Cuda(Box<Engine<Cuda>>),
}

impl Lane {
    pub fn segment(
        &mut self,
        pool: &ThreadPool,
        images: &[Source],
        options: &Options,
        watch: &mut Watch,
    ) -> Vec<Result<Segmented>> {
        match self {
            Lane::Cpu(engine) => pool.install(|| engine.segment(images, options, watch)),
            Lane::Cuda(engine) => engine.segment(images, options, watch),
        }
    }

    pub fn style(
        &mut self,
        pool: &ThreadPool,
        images: &[Source],
        options: &Options,
    ) -> Vec<Result<Vec<f32>>> {
        match self {
            Lane::Cpu(engine) => pool.install(|| engine.style(images, options)),
            Lane::Cuda(engine) => engine.style(images, options),
        }
    }

    /// Which GPU it is on.
    fn ordinal(&self) -> Option<usize> {
        match self {
            Lane::Cpu(_) => None,
            Lane::Cuda(engine) => Some(engine.backend.ordinal()),
        }
    }

    /// How many tiles it wants together; images are taken together until there are so many.
    pub fn tiles(&self, options: &Options) -> usize {
        match self {
            // One image uses all threads.
            Lane::Cpu(_) => 1,
            Lane::Cuda(engine) => engine.backend.batch(options),
        }
    }
}

/// The lanes that wait for work.
pub(crate) struct Lanes {
    idle: Mutex<Vec<Lane>>,
    returned: Condvar,
    /// Lanes of GPUs, idle or at work.
    all: usize,
    /// These GPUs.
    gpus: Vec<usize>,
    /// For the processor, a new lane can be made at any time: they share the weights.
    more: Option<(Model, Arc<Unet>)>,
}

impl Lanes {
    pub fn cpu(model: Model, unet: Unet) -> Self {
        let more = Some((model, Arc::new(unet)));
        Lanes { idle: Mutex::default(), returned: Condvar::new(), all: 0, gpus: Vec::new(), more }
    }

    /// Opens the GPUs.
    pub fn cuda(
        model: &Model,
        gpus: &[usize],
        precision: Precision,
        compiling: &dyn Fn(usize, usize),
    ) -> Result<Self> {
        let mut idle = Vec::new();
        for &ordinal in gpus {
            let gpu = Gpu::open_with(ordinal, compiling)?;
            let unet = Arc::new(network::Unet::new(&gpu, model.network(), precision)?);
            // The lanes' streams do not wait for the one that copied the weights.
            gpu.synchronize()?;
            for _ in 0..STREAMS {
                let backend = Cuda::new(gpu.fork()?, unet.clone());
                idle.push(Lane::Cuda(Box::new(Engine::new(model.clone(), backend))));
            }
        }
        let all = idle.len();
        let (idle, returned) = (Mutex::new(idle), Condvar::new());
        Ok(Lanes { idle, returned, all, gpus: gpus.to_vec(), more: None })
    }

    /// An idle lane, once there is one. It goes back when it is dropped.
    pub fn take(&self) -> Taken<'_> {
        let mut idle = self.idle.lock().unwrap_or_else(|e| e.into_inner());
        loop {
            if let Some(lane) = idle.pop() {
                return Taken { lane: Some(lane), lanes: self };
            }
            if let Some((model, unet)) = &self.more {
                let lane = Lane::Cpu(Engine::new(model.clone(), Cpu::new(unet.clone())));
                return Taken { lane: Some(lane), lanes: self };
            }
            idle = self.returned.wait(idle).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// An idle lane of a GPU, once there is one.
    ///
    /// # Errors
    /// [`Error::Device`] when none of the lanes is on it.
    pub fn take_on(&self, ordinal: usize) -> Result<Taken<'_>> {
        if !self.gpus.contains(&ordinal) {
            return Err(Error::device(Device::Cuda(ordinal), "the model was not loaded onto it"));
        }
        let mut idle = self.idle.lock().unwrap_or_else(|e| e.into_inner());
        loop {
            if let Some(i) = idle.iter().rposition(|lane| lane.ordinal() == Some(ordinal)) {
                return Ok(Taken { lane: Some(idle.remove(i)), lanes: self });
            }
            idle = self.returned.wait(idle).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// How many can work at the same time with profit.
    pub fn count(&self) -> usize {
        match self.more {
            Some(_) => 1,
            None => self.all,
        }
    }
}

/// A lane at work.
pub(crate) struct Taken<'a> {
    lane: Option<Lane>,
    lanes: &'a Lanes,
}

impl Taken<'_> {
    pub fn lane(&mut self) -> &mut Lane {
        self.lane.as_mut().expect("it is there until the drop")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.lanes.idle.lock().unwrap_or_else(|e| e.into_inner()).extend(self.lane.take());
        // All, since some may wait for a lane of another GPU.
        self.lanes.returned.notify_all();
    }
}
