//! The public way in: a model, threads, and `segment`.

use ndarray::{Array, Array1, Array2, Array3, Dimension};

use crate::backend::{Size, Source};
use crate::cpu::conv::Kernel;
use crate::cpu::network::Unet;
use crate::cuda::DeviceImage;
use crate::lanes::Lanes;
use crate::pipeline::Segmented;
use crate::pool::Pool;
use crate::watch::{Progress, Watch};
use crate::{Device, Error, Image, Model, Options, Precision, Result, many};

/// What was found in an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// `[height, width]` of the image: 0 is background, cells are 1 to n in the order in which their first
    /// pixel comes in memory.
    pub masks: Array2<u32>,
    /// `[2, height, width]`: flow along y and along x, five times a unit vector, at the image's scale, or at
    /// the network's with `resample: false`; empty with `flows: false`.
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

/// What was found in an image on a GPU.
#[derive(Clone, Debug, PartialEq)]
pub struct OnDevice {
    /// How many cells.
    pub cells: usize,
    /// The rest. Its masks are empty when they went to the caller's memory on the GPU.
    pub segmentation: Segmentation,
}

/// A model and what runs it.
pub struct Segmenter {
    model: Model,
    lanes: Lanes,
    pool: Pool,
}

/// Collects what a [`Segmenter`] needs.
#[derive(Default)]
pub struct Builder {
    model: Option<Model>,
    threads: usize,
    kernel: Option<Kernel>,
    devices: Vec<Device>,
    precision: Precision,
    compiling: Option<Box<dyn Fn(usize, usize)>>,
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
    pub fn compiling(mut self, progress: impl Fn(usize, usize) + 'static) -> Self {
        self.compiling = Some(Box::new(progress));
        self
    }

    /// Starts the threads; opens the GPUs, and compiles their kernels where they are not in the cache.
    ///
    /// # Errors
    /// [`Error::Model`] or [`Error::Tensor`] when the model cannot be used, [`Error::Threads`], [`Error::Option`] for
    /// devices that do not go together, [`Error::Device`] for one that cannot be used.
    pub fn build(self) -> Result<Segmenter> {
        let pool = Pool::new(self.threads)?;
        let model = match self.model {
            Some(model) => model,
            None => Model::named("cyto")?,
        };
        segments(&model)?;
        Device::check(&self.devices)?;
        let gpus: Vec<usize> = self.devices.iter().filter_map(|device| device.ordinal()).collect();
        let lanes = match gpus.is_empty() {
            true => {
                let kernel = self.kernel.unwrap_or_else(Kernel::best);
                Lanes::cpu(model.clone(), pool.install(|| Unet::new(model.network(), kernel)))
            }
            false => {
                let compiling = self.compiling.unwrap_or_else(|| Box::new(|_, _| {}));
                Lanes::cuda(&model, &gpus, self.precision, &*compiling)?
            }
        };
        Ok(Segmenter { model, lanes, pool })
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
        &self.model
    }

    /// How many threads the processor's part of the work uses.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Finds the cells of one image.
    ///
    /// # Errors
    /// [`Error::Option`] for a value out of range, [`Error::Image`] for a channel that is not there or a
    /// pixel that is not finite.
    pub fn segment(&self, image: &Image, options: &Options) -> Result<Segmentation> {
        self.watched(image, options, &mut Watch::none())
    }

    /// [`Segmenter::segment`] that tells how far it is and can be stopped.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`], and [`Error::Cancelled`] when `progress` returns `false`. It is called after
    /// each batch of tiles, so a smaller [`Options::batch_size`] calls it more often.
    pub fn segment_with_progress<'a>(
        &self,
        image: &Image,
        options: &Options,
        progress: &'a mut Progress<'a>,
    ) -> Result<Segmentation> {
        self.watched(image, options, &mut Watch::new(progress))
    }

    fn watched(&self, image: &Image, options: &Options, watch: &mut Watch) -> Result<Segmentation> {
        options.check()?;
        let mut lane = self.lanes.take();
        let found = lane.lane().segment(&self.pool, &[Source::Host(image)], options, watch);
        one(found).map(|found| found.shaped(image.size()))
    }

    /// The style vector of one image: that of [`Segmentation::style`], without the work for the masks.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`].
    pub fn style(&self, image: &Image, options: &Options) -> Result<Array1<f32>> {
        options.check()?;
        let mut lane = self.lanes.take();
        one(lane.lane().style(&self.pool, &[Source::Host(image)], options)).map(Array1::from)
    }

    /// Finds the cells of many files, each of one or more images, for the most files an hour: files are loaded ahead
    /// on other threads, a GPU takes the tiles of several images together, and GPUs take the next images as they
    /// become free. Each image gets the masks that [`Segmenter::segment`] gives it.
    ///
    /// `files` are functions that load a file's images. `done` is called once for each, with its place in `files`, in
    /// the order in which they are finished, from several threads at once.
    ///
    /// ```
    /// use flowmask::{Error, Image, Options, Segmenter};
    ///
    /// let segmenter = Segmenter::builder().build()?;
    /// let paths = ["tests/data/nuclei.png", "missing.png"];
    /// let files = paths.map(|path| move || Ok::<_, Error>(vec![Image::open(path)?]));
    /// segmenter.segment_many(files, &Options::default(), |i, found| match found {
    ///     Ok((_, found)) => println!("{}: {} cells", paths[i], found[0].cells()),
    ///     Err(error) => println!("{}: {error}", paths[i]),
    /// })?;
    /// # Ok::<(), flowmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] for a value out of range. What is wrong with a file or an image goes to `done`.
    pub fn segment_many<F, E>(
        &self,
        files: impl IntoIterator<Item = F, IntoIter: Send>,
        options: &Options,
        done: impl Fn(usize, Result<(Vec<Image>, Vec<Segmentation>), E>) + Sync,
    ) -> Result<()>
    where
        F: FnOnce() -> Result<Vec<Image>, E>,
        E: From<Error> + Send,
    {
        options.check()?;
        many::run(self, files.into_iter(), options, &done);
        Ok(())
    }

    /// Finds the cells of images whose pixels are on a GPU that the segmenter runs on: nothing but what is asked for
    /// goes through the host. Tiles of several images go through the network together. Each image gets the masks that
    /// [`Segmenter::segment`] gives it.
    ///
    /// The pixels are read after the work that is in the image's stream, and work that is put into it after the call
    /// comes after the labels. The call itself waits until the labels are there. `progress` is as in
    /// [`Segmenter::segment_with_progress`].
    ///
    /// # Errors
    /// [`Error::Option`], and [`Error::Device`] when the segmenter does not run on the GPU. Each image has its own
    /// result, with the errors of [`Segmenter::segment`], and [`Error::Device`] for an address that is not in the GPU's
    /// memory or not a multiple of what lies there.
    ///
    /// # Safety
    /// Pixels and labels have the shapes and strides that the images say, and stay until the work in the stream is done;
    /// the stream is one of the GPU's primary context.
    pub unsafe fn segment_on_device(
        &self,
        ordinal: usize,
        images: &[DeviceImage],
        options: &Options,
        progress: &mut Progress,
    ) -> Result<Vec<Result<OnDevice>>> {
        options.check()?;
        many::on_device(self, ordinal, images, options, progress)
    }

    /// The lanes and the threads for those of the processor.
    pub(crate) fn parts(&self) -> (&Lanes, &rayon::ThreadPool) {
        (&self.lanes, &self.pool)
    }
}

/// The result of one image.
fn one<T>(mut results: Vec<Result<T>>) -> Result<T> {
    results.pop().expect("a result for each image")
}

impl Segmented {
    /// With the shapes of the arrays.
    pub(crate) fn shaped(self, image: Size) -> Segmentation {
        let of_masks = if self.masks.is_empty() { (0, 0) } else { image };
        let (height, width) = if self.cellprob.is_empty() { (0, 0) } else { self.size };
        Segmentation {
            masks: shaped(of_masks, self.masks),
            flows: shaped((2, height, width), self.flows),
            cellprob: shaped((height, width), self.cellprob),
            style: Array1::from(self.style),
            diameter: self.diameter,
        }
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
