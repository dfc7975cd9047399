//! What the pipeline asks of a device: one method a stage.

use crate::options::{Compat, Options};
use crate::watch::Watch;
use crate::{Image, Result};

/// (height, width).
pub(crate) type Size = (usize, usize);

/// An image as a backend takes it.
pub(crate) trait Input: Copy {
    fn size(self) -> Size;
}

impl Input for &Image {
    fn size(self) -> Size {
        Image::size(self)
    }
}

/// What runs the stages. The arrays of an image stay where it runs, from the pixels to the labels.
pub(crate) trait Backend: Sized {
    /// An image before the first stage.
    type Input<'a>: Input;

    /// The arrays of one image. They are kept for the next one, so that their memory is.
    type Work: Default;

    /// `channels`: the network's channels, at the image's own scale and as they were stored.
    fn channels(&mut self, work: &mut Self::Work, input: Self::Input<'_>, options: &Options) -> Result<()>;

    /// `normalize`: the same channels in their common range.
    fn normalize(&mut self, work: &mut Self::Work, input: Self::Input<'_>, options: &Options) -> Result<()>;

    /// `resize`, `tiles`, `network`, `blend`: the maps of each image at the size `small`, and its style vector. These are
    /// one step because the tiles of all images go through the network together; the result is that of each image
    /// alone.
    fn network(
        &mut self,
        jobs: &mut [&mut Job<'_, Self>],
        options: &Options,
        watch: &mut Watch,
    ) -> Result<()>;

    /// `resize`: the maps at another size.
    fn resize_maps(&mut self, work: &mut Self::Work, from: Size, to: Size) -> Result<()>;

    /// `follow`: where the pixels in cells end after `niter` steps along the flows of the maps.
    fn follow(&mut self, work: &mut Self::Work, size: Size, niter: u32, options: &Options) -> Result<()>;

    /// `cluster`: labels from these end points.
    fn cluster(&mut self, work: &mut Self::Work, size: Size, max_size_fraction: f64) -> Result<()>;

    /// `flow_error`: the labels without those whose flows differ from the maps'.
    fn drop_bad_flows(&mut self, work: &mut Self::Work, size: Size, threshold: f64) -> Result<()>;

    /// `resize`: the labels at another size.
    fn resize_labels(&mut self, work: &mut Self::Work, from: Size, to: Size) -> Result<()>;

    /// `components`: the labels without holes and without small masks.
    fn fill_holes_and_drop_small(
        &mut self,
        work: &mut Self::Work,
        size: Size,
        min_size: usize,
        compat: Compat,
    ) -> Result<()>;

    /// `components`: the labels without masks that touch the border.
    fn drop_edges(&mut self, work: &mut Self::Work, size: Size) -> Result<()>;

    /// `components`: the median diameter of the masks, 0 without masks.
    fn diameter(&mut self, work: &mut Self::Work, size: Size) -> Result<f64>;

    /// The style vector, on the host.
    fn style(&mut self, work: &mut Self::Work) -> Result<Vec<f32>>;

    /// The maps, `[nout, height, width]`, on the host.
    fn maps(&mut self, work: &mut Self::Work) -> Result<Vec<f32>>;

    /// The labels, `[height, width]`, on the host.
    fn labels(&mut self, work: &mut Self::Work) -> Result<Vec<u32>>;
}

/// An image on its way.
pub(crate) struct Job<'a, B: Backend> {
    pub work: B::Work,
    pub input: B::Input<'a>,
    /// Its size.
    pub image: Size,
    /// Of the network's input to the image.
    pub scale: f64,
    /// The image at that scale.
    pub small: Size,
    /// In pixels of the image.
    pub diameter: f64,
}
