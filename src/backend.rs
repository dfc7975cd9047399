//! What the pipeline asks of the processor and of a GPU: one method a stage.

use crate::cuda::DeviceImage;
use crate::options::{Compat, Options};
use crate::watch::Watch;
use crate::{Image, Result};

/// (height, width).
pub(crate) type Size = (usize, usize);

/// Where the pixels of an image are.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Host(&'a Image),
    /// In a GPU's memory, where its labels may go too.
    Device(&'a DeviceImage),
}

impl Source<'_> {
    pub fn size(self) -> Size {
        match self {
            Source::Host(image) => image.size(),
            Source::Device(image) => image.size(),
        }
    }
}

/// What runs the stages. The arrays of an image stay where it runs, from the pixels to the labels.
pub(crate) trait Backend {
    /// The arrays of one image. They are kept for the next one, so that their memory is.
    type Work: Default;

    /// `channels`, `normalize`: the image as the network wants it, at its own scale.
    fn prepare(&mut self, work: &mut Self::Work, image: Source, options: &Options) -> Result<()>;

    /// `resize`, `tiles`, `network`, `blend`: the maps of each image at the size `small`, and its style vector. The
    /// tiles of all images go through the network together; the result is that of each image alone.
    fn network(
        &mut self,
        jobs: &mut [&mut Job<'_, Self::Work>],
        options: &Options,
        watch: &mut Watch,
    ) -> Result<()>;

    /// `resize`: the maps at another size.
    fn resize_maps(&mut self, work: &mut Self::Work, from: Size, to: Size) -> Result<()>;

    /// `follow`, `cluster`: labels from the maps.
    fn cluster(&mut self, work: &mut Self::Work, size: Size, niter: u32, options: &Options) -> Result<()>;

    /// `flow_error`.
    fn drop_bad_flows(&mut self, work: &mut Self::Work, size: Size, threshold: f64) -> Result<()>;

    /// `resize`: the labels at another size.
    fn resize_labels(&mut self, work: &mut Self::Work, from: Size, to: Size) -> Result<()>;

    /// `components`.
    fn fill_holes_and_drop_small(
        &mut self,
        work: &mut Self::Work,
        size: Size,
        min_size: usize,
        compat: Compat,
    ) -> Result<()>;

    /// `components`.
    fn drop_edges(&mut self, work: &mut Self::Work, size: Size) -> Result<()>;

    /// The median diameter of the masks, 0 without masks.
    fn diameter(&mut self, work: &mut Self::Work, size: Size) -> Result<f64>;

    /// The style vector.
    fn style(&mut self, work: &mut Self::Work) -> Result<Vec<f32>>;

    /// The maps, `[nout, height, width]`.
    fn maps(&mut self, work: &mut Self::Work, size: Size) -> Result<Vec<f32>>;

    /// The labels, `[height, width]`.
    fn labels(&mut self, work: &mut Self::Work, size: Size) -> Result<Vec<u32>>;

    /// The labels to where the image says, which is an address and the bytes from a row to the next. How many cells.
    fn give_labels(&mut self, work: &mut Self::Work, image: &DeviceImage, to: (u64, isize)) -> Result<u32>;
}

/// An image on its way.
pub(crate) struct Job<'a, W> {
    pub work: W,
    pub source: Source<'a>,
    /// Its size.
    pub image: Size,
    /// Of the network's input to the image.
    pub scale: f64,
    /// The image at that scale.
    pub small: Size,
    /// In pixels of the image.
    pub diameter: f64,
}
