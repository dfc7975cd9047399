//! The stages that the pipeline runs on a device, and how their results come back to the host.

use std::time::{Duration, Instant};

use crate::measure::Sums;
use crate::options::{Compat, Options};
use crate::watch::Watch;
use crate::{Image, Result};

/// (height, width).
pub(crate) type Size = (usize, usize);

/// The pixels of an image, in the form that a backend reads.
pub(crate) trait Input: Copy {
    /// (height, width) of the image.
    fn size(self) -> Size;
}

impl Input for &Image {
    fn size(self) -> Size {
        Image::size(self)
    }
}

/// A processor or a GPU that runs the stages. The arrays of an image stay in its memory, from the pixels to the labels.
///
/// Each method names the stage that it runs, which is a module of `cpu` and of `cuda`.
pub(crate) trait Backend: Sized {
    /// The pixels that the first stage reads.
    type Input<'a>: Input;

    /// The arrays of one image. The next image reuses their memory.
    type Work: Default;

    /// Checks that the memory suffices for an image whose pixels the network gets at the size `small`, before anything is
    /// allocated for it.
    fn check_memory(&mut self, job: &Job<'_, Self>, options: &Options) -> Result<()>;

    /// `channels`: takes the network's channels from the image, with its size and its values unchanged.
    fn channels(&mut self, work: &mut Self::Work, input: Self::Input<'_>, options: &Options) -> Result<()>;

    /// `normalize`: scales the intensities of these channels, so that the chosen percentiles become 0 and 1.
    fn normalize(&mut self, work: &mut Self::Work, input: Self::Input<'_>, options: &Options) -> Result<()>;

    /// `resize`, `tiles`, `network`, `blend`: computes the maps (flows and cellprob) of each image at the size
    /// [`Job::small`], and its style vector. These four stages are one method because tiles of several images go through
    /// the network together. Each image still gets the result that it would get alone. Each tile is a unit of the watch's
    /// step.
    fn network(&mut self, jobs: &mut [&mut Job<'_, Self>], options: &Options, watch: &Watch) -> Result<()>;

    /// `resize`: scales the maps to another size.
    fn resize_maps(&mut self, work: &mut Self::Work, from: Size, to: Size) -> Result<()>;

    /// `follow`: moves each pixel that is in a cell `niter` steps along the flows.
    fn follow(
        &mut self,
        work: &mut Self::Work,
        size: Size,
        niter: u32,
        options: &Options,
        watch: &Watch,
    ) -> Result<()>;

    /// `cluster`: gives pixels whose end points lie together the same label.
    fn cluster(
        &mut self,
        work: &mut Self::Work,
        size: Size,
        max_size_fraction: f64,
        watch: &Watch,
    ) -> Result<()>;

    /// `flow_error`: drops the masks whose own flows differ too much from the network's.
    fn drop_bad_flows(
        &mut self,
        work: &mut Self::Work,
        size: Size,
        threshold: f64,
        watch: &Watch,
    ) -> Result<()>;

    /// `resize`: scales the labels to another size.
    fn resize_labels(&mut self, work: &mut Self::Work, from: Size, to: Size) -> Result<()>;

    /// `parts`: keeps the largest connected part of each mask.
    fn keep_largest_parts(&mut self, work: &mut Self::Work, size: Size, watch: &Watch) -> Result<()>;

    /// `components`: fills holes and drops small masks.
    fn fill_holes_and_drop_small(
        &mut self,
        work: &mut Self::Work,
        size: Size,
        min_size: usize,
        compat: Compat,
        watch: &Watch,
    ) -> Result<()>;

    /// `components`: drops masks that touch the border of the image.
    fn drop_edges(&mut self, work: &mut Self::Work, size: Size) -> Result<()>;

    /// `components`: the median diameter of the masks in pixels; 0 without masks.
    fn diameter(&mut self, work: &mut Self::Work, size: Size) -> Result<f64>;

    /// Copies the style vector to the host. A backend that has not refused pixels that are not finite in
    /// [`Backend::channels`] does so here.
    fn style(&mut self, work: &mut Self::Work) -> Result<Vec<f32>>;

    /// Copies the maps to the host: the flows, `[2, height, width]`, and the cellprob, `[height, width]`.
    fn maps(&mut self, work: &mut Self::Work, size: Size) -> Result<(Vec<f32>, Vec<f32>)>;

    /// Copies the only map of a network with one output, `[height, width]`, to the host.
    fn map(&mut self, work: &mut Self::Work) -> Result<Vec<f32>>;

    /// Copies the labels, `[height, width]`, to the host.
    fn labels(&mut self, work: &mut Self::Work) -> Result<Vec<u32>>;

    /// `measure`: what is summed over each cell of the image. `labels` are those that [`Backend::labels`] copied.
    fn measure(&mut self, work: &mut Self::Work, input: Self::Input<'_>, labels: &[u32])
    -> Result<Vec<Sums>>;
}

/// An image on its way through the stages.
pub(crate) struct Job<'a, B: Backend> {
    pub work: B::Work,
    pub input: B::Input<'a>,
    /// The size of the image.
    pub image: Size,
    /// The network's input is this many times as large as the image.
    pub scale: f64,
    /// The size of the network's input.
    pub small: Size,
    /// The diameter of the cells, in pixels of the image; 0 before it is known.
    pub diameter: f64,
    /// The image's share of the time that it took up to the network.
    pub time: Duration,
    /// When its stages after the network began.
    pub begun: Instant,
}

impl<B: Backend> Job<'_, B> {
    /// The image in the words of an error about its memory.
    pub fn describe(&self) -> String {
        let ((height, width), (rows, columns)) = (self.image, self.small);
        let mut words = format!("an image of {height} by {width} pixels");
        if self.diameter > 0.0 {
            words.push_str(&format!(" at a diameter of {} pixels", self.diameter));
        }
        if self.small != self.image {
            words.push_str(&format!(", which the network gets as {rows} by {columns},"));
        }
        words
    }
}
