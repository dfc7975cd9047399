//! The public way in: a model, threads, and `segment`.

use ndarray::{Array, Array1, Array2, Array3, Dimension};

use crate::cpu::batch::Arena;
use crate::cpu::conv::Kernel;
use crate::cpu::network::Unet;
use crate::pipeline::{self, Engine, Segmented};
use crate::{Error, Image, Model, Options, Result};

/// What was found in an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// `[height, width]` of the image: 0 is background, cells are 1 to n in the order in which their first
    /// pixel comes in memory.
    pub masks: Array2<u32>,
    /// `[2, height, width]`: flow along y and along x, five times a unit vector, at the image's scale, or at
    /// the network's with `resample: false`.
    pub flows: Array3<f32>,
    /// `[height, width]`, of the flows: the logit of being in a cell.
    pub cellprob: Array2<f32>,
    /// The style vector: unit length, one number a channel of the deepest map (256).
    pub style: Array1<f32>,
    /// The diameter that the image was scaled by, in pixels.
    pub diameter: f64,
}

impl Segmentation {
    /// How many cells.
    pub fn cells(&self) -> usize {
        self.masks.iter().copied().max().unwrap_or(0) as usize
    }
}

/// A model and the threads that run it.
pub struct Segmenter {
    engine: Engine,
    pool: rayon::ThreadPool,
}

/// Collects what a [`Segmenter`] needs.
#[derive(Default)]
pub struct Builder {
    model: Option<Model>,
    threads: usize,
    kernel: Option<Kernel>,
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

    /// Which instructions the convolutions use; without it, the fastest that the processor has.
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = Some(kernel);
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// [`Error::Model`] or [`Error::Tensor`] when the model cannot be used, [`Error::Threads`].
    pub fn build(self) -> Result<Segmenter> {
        let threads = self.threads;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("flowmask-{i}"))
            .build()
            .map_err(|e| Error::Threads { threads, reason: e.to_string() })?;
        let model = match self.model {
            Some(model) => model,
            None => Model::named("cyto")?,
        };
        segments(&model)?;
        let kernel = self.kernel.unwrap_or_else(Kernel::best);
        let unet = pool.install(|| Unet::new(model.network(), kernel));
        Ok(Segmenter { engine: Engine { model, unet, arena: Arena::default() }, pool })
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

impl Segmenter {
    /// Begins a segmenter.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The model in use.
    pub fn model(&self) -> &Model {
        &self.engine.model
    }

    /// Finds the cells of one image.
    ///
    /// # Errors
    /// [`Error::Option`] for a value out of range, [`Error::Image`] for a channel that is not there or a
    /// pixel that is not finite.
    pub fn segment(&self, image: &Image, options: &Options) -> Result<Segmentation> {
        options.check()?;
        let Segmented { output, masks, diameter } =
            self.pool.install(|| pipeline::segment(&self.engine, image, options))?;
        let (height, width) = output.size;
        Ok(Segmentation {
            masks: shaped((image.height(), image.width()), masks),
            flows: shaped((2, height, width), output.flows),
            cellprob: shaped((height, width), output.cellprob),
            style: Array1::from(output.style),
            diameter,
        })
    }

    /// The style vector of one image: that of [`Segmentation::style`], without the work for the masks.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`].
    pub fn style(&self, image: &Image, options: &Options) -> Result<Array1<f32>> {
        options.check()?;
        let style = self.pool.install(|| pipeline::style(&self.engine, image, options))?;
        Ok(Array1::from(style))
    }
}

/// The pipeline's vectors have the lengths that their shapes say.
fn shaped<T, S, D>(shape: S, values: Vec<T>) -> Array<T, D>
where
    S: Into<ndarray::StrideShape<D>>,
    D: Dimension,
{
    Array::from_shape_vec(shape, values).expect("a stage returned a vector of another length")
}
