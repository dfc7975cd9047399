//! The segmenter: the entrance to the library.

use ndarray::Array1;

use crate::lanes::Lanes;
use crate::plan::scale::known_scale;
use crate::pool::Pool;
use crate::segmentation::Segmentation;
use crate::watch::{Progress, Watch};
use crate::{Diameter, Error, Image, Model, Options, Result, many};

/// A model together with the devices that it runs on. Threads may share a segmenter. A process that was forked after the
/// segmenter was built has to build its own: it gets [`Error::Forked`] from this one.
pub struct Segmenter {
    model: Model,
    /// The pipelines that segment images.
    pub(crate) lanes: Lanes,
    pool: Pool,
}

impl Segmenter {
    pub(crate) fn new(model: Model, lanes: Lanes, pool: Pool) -> Self {
        Segmenter { model, lanes, pool }
    }

    /// The model in use.
    pub fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How many threads the segmenter has for what the processor computes.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Whether every option is in its range, and the model can do what the options ask for.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child process of the one that built the segmenter,
    /// [`Error::Option`] for the first value that is out of its range, [`Error::Model`] for
    /// [`Diameter::Auto`](crate::Diameter::Auto) with a model that has no size model.
    pub fn check(&self, options: &Options) -> Result<()> {
        self.pool.check()?;
        options.check()?;
        match options.diameter {
            Diameter::Auto => self.model.some_size_model().map(drop),
            _ => Ok(()),
        }
    }

    /// Finds the cells of one image.
    ///
    /// # Errors
    /// [`Error::Option`] for an option out of its range, [`Error::Image`] when the image does not have the chosen
    /// channel or a pixel is not finite, [`Error::Model`] for [`Diameter::Auto`](crate::Diameter::Auto) with a model that
    /// has no size model, [`Error::Memory`] when there is too little memory, [`Error::Device`] when a GPU fails,
    /// [`Error::Forked`] in a child process of the one that built the segmenter.
    pub fn segment(&self, image: &Image, options: &Options) -> Result<Segmentation> {
        self.watched(image, options, &Watch::none())
    }

    /// Like [`Segmenter::segment`], and writes what was found to `found`, whose arrays are used again. After an error
    /// `found` is empty.
    ///
    /// ```
    /// use flowmask::{Image, Options, Segmentation, Segmenter};
    /// # let frames = [Image::from_gray(ndarray::Array2::<u8>::zeros((32, 32)).view())?];
    /// let segmenter = Segmenter::builder().build()?;
    /// let mut found = Segmentation::default();
    /// for frame in &frames {
    ///     segmenter.segment_into(frame, &Options::default(), &mut found)?;
    ///     println!("{} cells", found.cells());
    /// }
    /// # Ok::<(), flowmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`].
    pub fn segment_into(&self, image: &Image, options: &Options, found: &mut Segmentation) -> Result<()> {
        self.recycle(std::mem::take(found));
        *found = self.segment(image, options)?;
        Ok(())
    }

    /// Gives back a result that is not needed any more. A segmenter on GPUs keeps the arrays of a few results, at most
    /// eight for each GPU, and copies what is found in the next images to them, since the first write to the pages of a
    /// fresh array takes several times as long as the copy. On the processor, results are the arrays that its stages work
    /// in, and what is given back is freed.
    pub fn recycle(&self, found: Segmentation) {
        // In a fork, another thread's lock is never released.
        if let Some(spares) = self.lanes.spares().filter(|_| self.pool.check().is_ok()) {
            spares.give(found);
        }
    }

    /// Like [`Segmenter::segment`], and calls `progress` with the part that is done, from 0 to 1: after each tile, and at
    /// least ten times a second. The work stops within 100 ms after `progress` returned `false`.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`], and [`Error::Cancelled`] when `progress` returns `false`.
    pub fn segment_with_progress<'a>(
        &self,
        image: &Image,
        options: &Options,
        progress: &'a mut Progress<'a>,
    ) -> Result<Segmentation> {
        self.watched(image, options, &Watch::new(progress))
    }

    fn watched(&self, image: &Image, options: &Options, watch: &Watch) -> Result<Segmentation> {
        self.check(options)?;
        let found = self.lanes.take().segment(&[image], options, watch);
        one(found).map(|found| found.into_segmentation(image.size()))
    }

    /// The style vector of one image: the same as [`Segmentation::style`], but faster, since no masks are computed.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`].
    pub fn style(&self, image: &Image, options: &Options) -> Result<Array1<f32>> {
        self.check(options)?;
        one(self.lanes.take().style(&[image], options)).map(Array1::from)
    }

    /// Finds the cells of many files, each of which holds one or more images, in the shortest time: other threads load
    /// files ahead, a GPU gets the tiles of several images together, and each GPU takes the next images when it is free.
    /// Each image gets the masks that [`Segmenter::segment`] would give it.
    ///
    /// Each of `files` is a function that loads the images of one file. `done` is called once for each file, with its
    /// index in `files`, in the order in which files are finished, and from several threads at once.
    ///
    #[cfg_attr(feature = "files", doc = "```")]
    #[cfg_attr(not(feature = "files"), doc = "```ignore")]
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
    /// Those of [`Segmenter::check`], before any file is loaded. Errors of a file or an image go to `done`.
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
        self.many(files, options, None, done)
    }

    /// Like [`Segmenter::segment_many`], and calls `progress` with the number of files that are done, to which parts of
    /// files are added: 2.25 may be two files and a quarter of the next. It is called at least ten times a second.
    ///
    /// When `progress` returns `false`, the work stops within 100 ms, but waits for a file that is being loaded. `done` is
    /// then not called for the files that are not done.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment_many`], and [`Error::Cancelled`] when `progress` returned `false`.
    pub fn segment_many_with_progress<'a, F, E>(
        &self,
        files: impl IntoIterator<Item = F, IntoIter: Send>,
        options: &Options,
        progress: &'a mut Progress<'a>,
        done: impl Fn(usize, Result<(Vec<Image>, Vec<Segmentation>), E>) + Sync,
    ) -> Result<()>
    where
        F: FnOnce() -> Result<Vec<Image>, E>,
        E: From<Error> + Send,
    {
        self.many(files, options, Some(progress), done)
    }

    fn many<'a, F, E>(
        &self,
        files: impl IntoIterator<Item = F, IntoIter: Send>,
        options: &Options,
        progress: Option<&'a mut Progress<'a>>,
        done: impl Fn(usize, Result<(Vec<Image>, Vec<Segmentation>), E>) + Sync,
    ) -> Result<()>
    where
        F: FnOnce() -> Result<Vec<Image>, E>,
        E: From<Error> + Send,
    {
        self.check(options)?;
        let scale = known_scale(&self.model, options.diameter);
        many::run(&self.lanes, scale, files.into_iter(), options, progress, &done)
    }
}

/// The result of a call with one image.
fn one<T>(mut results: Vec<Result<T>>) -> Result<T> {
    results.pop().expect("a result for each image")
}
