//! The public way in: a model, what runs it, and `segment`.

use std::sync::Arc;

use ndarray::Array1;

use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::segmentation::Segmentation;
use crate::watch::{Progress, Watch};
use crate::{Error, Image, Model, Options, Result, many};

/// A model and what runs it.
pub struct Segmenter {
    model: Model,
    /// What does the work.
    pub(crate) lanes: Lanes,
    pool: Arc<Pool>,
}

impl Segmenter {
    pub(crate) fn new(model: Model, lanes: Lanes, pool: Arc<Pool>) -> Self {
        Segmenter { model, lanes, pool }
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
        let found = lane.lane().segment(&[image], options, watch);
        one(found).map(|found| found.shaped(image.size()))
    }

    /// The style vector of one image: that of [`Segmentation::style`], without the work for the masks.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`].
    pub fn style(&self, image: &Image, options: &Options) -> Result<Array1<f32>> {
        options.check()?;
        let mut lane = self.lanes.take();
        one(lane.lane().style(&[image], options)).map(Array1::from)
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
        many::run(&self.lanes, self.model.diam_mean(), files.into_iter(), options, &done);
        Ok(())
    }
}

/// The result of one image.
fn one<T>(mut results: Vec<Result<T>>) -> Result<T> {
    results.pop().expect("a result for each image")
}
