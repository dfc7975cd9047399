//! From a model and devices to a segmenter: the one place that knows every backend.

use std::sync::Arc;

use crate::cpu::conv::Isa;
use crate::pool::Pool;
use crate::{Device, Error, Model, Precision, Result, Segmenter, cpu, cuda};

impl Segmenter {
    /// Begins a segmenter.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Collects what a [`Segmenter`] needs.
#[derive(Default)]
pub struct Builder {
    model: Option<Model>,
    threads: usize,
    isa: Option<Isa>,
    devices: Vec<Device>,
    precision: Precision,
    compiling: Option<Box<dyn Fn(usize, usize) + Send>>,
}

impl Builder {
    /// The model; without it, the built-in `cyto`.
    pub fn model(mut self, model: Model) -> Self {
        self.model = Some(model);
        self
    }

    /// How many threads; 0, the default, takes `RAYON_NUM_THREADS`, or one a core.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Instruction set of the convolutions on the processor; by default the fastest that it has.
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// Where the work is done: the processor, which is the default, or GPUs, which share the images.
    pub fn devices(mut self, devices: impl IntoIterator<Item = Device>) -> Self {
        self.devices = devices.into_iter().collect();
        self
    }

    /// In what a GPU computes the network.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Is called while kernels are compiled, which takes seconds at the first use of a kind of GPU, with how many files
    /// are done and how many there are.
    pub fn compiling(mut self, progress: impl Fn(usize, usize) + Send + 'static) -> Self {
        self.compiling = Some(Box::new(progress));
        self
    }

    /// Starts the threads; opens the GPUs, and compiles their kernels where they are not in the cache.
    ///
    /// # Errors
    /// [`Error::Model`] or [`Error::Tensor`] when the model cannot be used, [`Error::Threads`], [`Error::Option`] for
    /// devices that do not go together, [`Error::Device`] for one that cannot be used.
    pub fn build(self) -> Result<Segmenter> {
        let pool = Arc::new(Pool::new(self.threads)?);
        let model = match self.model {
            Some(model) => model,
            None => Model::named("cyto")?,
        };
        segments(&model)?;
        Device::check(&self.devices)?;
        let gpus: Vec<usize> = self.devices.iter().filter_map(|device| device.ordinal()).collect();
        let lanes = match gpus.is_empty() {
            true => cpu::lane::lanes(&model, self.isa, pool.clone()),
            false => {
                let compiling = self.compiling.unwrap_or_else(|| Box::new(|_, _| {}));
                cuda::lanes(&model, &gpus, self.precision, &*compiling)?
            }
        };
        Ok(Segmenter::new(model, lanes, pool))
    }
}

/// Refuses networks of the same build that do something else, as those that restore images.
fn segments(model: &Model) -> Result<()> {
    let (nbase, nout) = (&model.network().nbase, model.network().nout);
    let reason = if nout != 3 {
        format!("has {nout} outputs; a segmentation needs 3 (two flows and the cell probability)")
    } else if nbase[0] > 2 {
        format!("takes images of {} channels; 1 or 2 can be given", nbase[0])
    } else if nbase.len() > 6 {
        format!("has {} levels; tiles are multiples of 16 pixels, which serve 5", nbase.len() - 1)
    } else {
        return Ok(());
    };
    Err(Error::model(model.name(), reason))
}
