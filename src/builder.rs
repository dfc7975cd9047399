//! Makes a segmenter from a model and devices. Only this file knows every backend.

use crate::cpu::conv::Isa;
use crate::lanes::Lanes;
use crate::memory::enough;
use crate::pool::Pool;
use crate::restorer::{Net, Restorer};
use crate::{Device, Error, Model, Precision, Result, Segmenter, cpu, cuda};

impl Segmenter {
    /// Starts to build a segmenter; [`Builder::build`] finishes it.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// The choices from which a [`Segmenter`] is built. All have defaults.
#[derive(Default)]
pub struct Builder {
    model: Option<Model>,
    chan2: Option<Model>,
    ortho: Option<Model>,
    threads: usize,
    pool: Option<Pool>,
    isa: Option<Isa>,
    devices: Vec<Device>,
    precision: Precision,
    kernels: Option<String>,
    compiling: Option<Box<dyn Fn(usize, usize) + Send>>,
}

impl Builder {
    /// The model. The default is the built-in `cyto`.
    pub fn model(mut self, model: Model) -> Self {
        self.model = Some(model);
        self
    }

    /// Of a [`Restorer`]: the model that restores the second channel (cellpose's `chan2_restore`). Left out, one model restores
    /// both.
    pub fn model_chan2(mut self, model: Model) -> Self {
        self.chan2 = Some(model);
        self
    }

    /// Of volumes: the model that sees the planes across y and x (cellpose's `pretrained_model_ortho`). Left out, one model sees
    /// the planes of all orientations.
    pub fn model_ortho(mut self, model: Model) -> Self {
        self.ortho = Some(model);
        self
    }

    /// How many threads. The default, 0, takes the number in `RAYON_NUM_THREADS`, or one for each core. With
    /// [`Builder::pool`] it has no effect.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Computes on the threads of this pool, which other segmenters may use at the same time. By default, the segmenter
    /// starts threads of its own.
    pub fn pool(mut self, pool: &Pool) -> Self {
        self.pool = Some(pool.clone());
        self
    }

    /// Instruction set of the convolutions on the processor; by default the fastest that it has.
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = Some(isa);
        self
    }

    /// Where images are segmented: on the processor, which is the default, or on one or more GPUs, which share the
    /// images.
    pub fn devices(mut self, devices: impl IntoIterator<Item = Device>) -> Self {
        self.devices = devices.into_iter().collect();
        self
    }

    /// The number format in which a GPU computes the network. The processor always uses single precision.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// The kernels of the convolutions in half precision on a GPU, by a name that `flowmask devices` shows, such as `sm_80`.
    /// By default, what is fastest on each kind of card: it is measured at the first use and kept. A convolution that the
    /// kernels cannot compute is computed as if nothing had been measured. The last bits of the network's output may depend
    /// on the kernels.
    pub fn kernels(mut self, name: impl Into<String>) -> Self {
        self.kernels = Some(name.into());
        self
    }

    /// Sets a function that is called while GPU kernels are compiled, with the number of files that are done and the
    /// number of all files. Compiling takes seconds, at the first use of a kind of GPU.
    pub fn compiling(mut self, progress: impl Fn(usize, usize) + Send + 'static) -> Self {
        self.compiling = Some(Box::new(progress));
        self
    }

    /// Starts the threads, opens the GPUs, and compiles kernels that are not in the cache.
    ///
    /// # Errors
    /// [`Error::Model`] or [`Error::Tensor`] when the model cannot be used, [`Error::Forked`] for a pool of another process,
    /// [`Error::Threads`] when the threads cannot be started, [`Error::Memory`] when there is too little for the weights,
    /// [`Error::Option`] for devices that cannot be used together, for kernels that cannot be used and for a model of a
    /// second channel, [`Error::Device`] for
    /// a GPU that cannot be used.
    pub fn build(mut self) -> Result<Segmenter> {
        if let Some(chan2) = &self.chan2 {
            let reason = format!(
                "is {}, but the second channel has a model only where images are restored",
                chan2.name()
            );
            return Err(Error::option("model_chan2", reason));
        }
        let pool = self.threads_of()?;
        let model = match self.model.take() {
            Some(model) => model,
            None => Model::named("cyto")?,
        };
        check_segments(&model)?;
        let ortho = self.ortho.take();
        if let Some(ortho) = &ortho {
            check_ortho(&model, ortho)?;
        }
        let lanes = self.lanes(&model, ortho.as_ref(), &pool)?;
        Ok(Segmenter::new(model, lanes, pool))
    }

    /// Like [`Builder::build`], of a model that restores images. There is no default model.
    ///
    /// # Errors
    /// Those of [`Builder::build`], and [`Error::Option`] for a second model of volumes.
    pub fn restorer(mut self) -> Result<Restorer> {
        if let Some(ortho) = &self.ortho {
            let reason = format!("is {}, but it is for volumes, and images are to be restored", ortho.name());
            return Err(Error::option("model_ortho", reason));
        }
        let pool = self.threads_of()?;
        let Some(model) = self.model.take() else {
            return Err(Error::option(
                "model",
                "is missing; there is no built-in network that restores images",
            ));
        };
        let chan2 = self.chan2.take();
        [Some(&model), chan2.as_ref()].into_iter().flatten().try_for_each(check_restores)?;
        let net = |model: Model| Ok(Net { lanes: self.lanes(&model, None, &pool)?, model });
        Ok(Restorer::new(net(model)?, chan2.map(net).transpose()?, pool.clone()))
    }

    /// The threads that were asked for.
    fn threads_of(&mut self) -> Result<Pool> {
        let pool = self.pool.take().map_or_else(|| Pool::new(self.threads), Ok)?;
        pool.check()?;
        Ok(pool)
    }

    /// The lanes of a model, and of another one for the planes of volumes across y and x, on the devices.
    fn lanes(&self, model: &Model, ortho: Option<&Model>, pool: &Pool) -> Result<Lanes> {
        Device::check(&self.devices)?;
        let gpus: Vec<usize> = self.devices.iter().filter_map(|device| device.ordinal()).collect();
        if let Some(name) = &self.kernels {
            check_kernels(name, gpus.is_empty(), self.precision)?;
        }
        match gpus.is_empty() {
            true => {
                let lanes = || Ok(cpu::lane::lanes(model, ortho, self.isa, pool.clone()));
                enough(|| format!("model {}", model.name()), lanes)
            }
            false => {
                let quiet: &dyn Fn(usize, usize) = &|_, _| {};
                let compiling = self.compiling.as_deref().map_or(quiet, |compiling| compiling);
                let kernels = self.kernels.as_deref();
                cuda::lanes(model, ortho, &gpus, self.precision, kernels, compiling, pool.clone())
            }
        }
    }
}

/// Refuses kernels where none of those that have a name is used.
fn check_kernels(name: &str, on_cpu: bool, precision: Precision) -> Result<()> {
    let fail = |reason: &str| Err(Error::option("kernels", format!("{name} is for {reason}")));
    if name.trim().is_empty() {
        let reason = "is empty; `flowmask devices` shows the names, such as sm_80";
        return Err(Error::option("kernels", reason));
    }
    match precision {
        _ if on_cpu => fail("GPUs, and the processor is to be used"),
        Precision::F32 => fail("half precision, and single precision is to be used"),
        Precision::F16 => Ok(()),
    }
}

/// Refuses networks that have the same layers but do something else, such as Cellpose's denoising networks.
fn check_segments(model: &Model) -> Result<()> {
    let (nbase, nout) = (&model.network().nbase, model.network().nout);
    let reason = if (nbase[0], nout) == (1, 1) {
        "has one channel and one output: it restores images (`flowmask restore`), and finds no cells".into()
    } else if nout != 3 {
        format!("has {nout} outputs; a segmentation needs 3 (two flows and the cell probability)")
    } else if nbase[0] > 2 {
        format!("takes {} channels; flowmask gives a network 1 or 2", nbase[0])
    } else {
        return check_levels(model);
    };
    Err(Error::model(model.name(), reason))
}

/// Refuses a model for the planes across y and x that is not built like the first one: the sums of their outputs would mean
/// nothing.
fn check_ortho(model: &Model, ortho: &Model) -> Result<()> {
    let (first, second) = (model.network(), ortho.network());
    let differ = |what: &str, one: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| {
        let name = model.name();
        let reason = format!(
            "is built otherwise than {name}, beside which it is to be used: its {what} {other:?}, not {one:?}"
        );
        Err(Error::model(ortho.name(), reason))
    };
    if first.nout != second.nout {
        return differ("number of outputs is", &first.nout, &second.nout);
    }
    if first.nbase != second.nbase {
        return differ("numbers of channels are", &first.nbase, &second.nbase);
    }
    match model.diam_mean() == ortho.diam_mean() {
        true => Ok(()),
        false => differ("diameter in pixels (diam_mean) is", &model.diam_mean(), &ortho.diam_mean()),
    }
}

/// Refuses networks that restore no images.
fn check_restores(model: &Model) -> Result<()> {
    match (model.network().nbase[0], model.network().nout) {
        (1, 1) => check_levels(model),
        (channels, outputs) => {
            let reason = format!(
                "restores no images: that takes a network of one channel and one output, and this has {channels} and {outputs}"
            );
            Err(Error::model(model.name(), reason))
        }
    }
}

fn check_levels(model: &Model) -> Result<()> {
    match model.network().levels() {
        0..=5 => Ok(()),
        levels => {
            let reason =
                format!("has {levels} levels; tile sizes, which are multiples of 16 pixels, allow at most 5");
            Err(Error::model(model.name(), reason))
        }
    }
}
