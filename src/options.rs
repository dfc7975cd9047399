//! The options of a segmentation. Names and defaults are those of cellpose 3.1.1.

mod normalize;

pub use normalize::Normalize;

use crate::plan::diameter::DIAMETERS;
use crate::text::number;
use crate::{Error, Result};

/// More steps than this are refused: a walk that follows the flows of nearest pixels need not come to rest, so that its
/// time grows with its steps without end. Automatic steps, 200 for each pixel of the network's input, stay below.
const MAX_NITER: u32 = 1_000_000;

/// How large the cells are. The image is scaled so that the cells get the diameter that the network was trained for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Diameter {
    /// The model's own diameter, [`Model::diameter`](crate::Model::diameter): the `diam_labels` of a model file, as in
    /// cellpose's `eval(diameter=None)`; for a built-in model what the network expects, so that the image is not scaled.
    #[default]
    Model,
    /// Median diameter of the cells in pixels, from 0.01 to 100,000.
    Pixels(f64),
    /// Estimated from the image by the model's size model.
    Auto,
    /// No diameter, but the factor by which the image is scaled for the network, from 0.001 to 1000 (cellpose's `rescale`).
    Scale(f64),
}

/// How the flow at a point between pixels is read. The GPU kernels and the C interface use the same numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Sampling {
    /// Bilinear interpolation, as cellpose does in 2D on a CPU.
    #[default]
    Bilinear = 0,
    /// Bilinear interpolation as in `torch.nn.functional.grid_sample` with `align_corners=False`, which cellpose uses on
    /// a GPU and in 3D: half a pixel off, and 0 outside the image.
    GridSample = 1,
    /// The flow of the pixel that contains the point (cellpose's `interp=False`).
    Nearest = 2,
}

/// Which bugs of cellpose are reproduced, for comparisons with it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// None.
    #[default]
    None,
    /// Those of cellpose 3.1.1: after the flow check has dropped masks, its filter of small masks removes others than
    /// the small ones; a mask may have several parts; a channel whose percentiles differ by at most 0.001 becomes
    /// zeros; sharpening and smoothing stretch images that are not square; tiles that are normalised by themselves are
    /// not inverted; a channel that is not there is scaled by `lowhigh`; [`Normalize::norm3d`] has no effect on
    /// volumes; [`Options::channels`] has none on images of one channel.
    V3_1_1,
}

/// The number format in which a GPU computes the network.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Maps and weights in half precision and sums in single precision, on the tensor cores. Half precision ends at
    /// 65504. Normalised images stay far below; for images that are not normalised ([`Normalize::enabled`]) and have
    /// larger values, use [`Precision::F32`].
    #[default]
    F16,
    /// Single precision throughout: slower, and closest to what the processor computes.
    F32,
}

/// Makes a method for each field that sets it. Other crates need these, since a `non_exhaustive` struct cannot be
/// written with all its fields.
macro_rules! setters {
    ($of:ident: $($field:ident: $kind:ty),+ $(,)?) => {
        impl $of {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}
pub(crate) use setters;

/// What can be chosen for the segmentation of an image.
///
/// ```
/// use flowmask::{Diameter, Options};
/// let options = Options::default().diameter(Diameter::Pixels(40.0)).flow_threshold(0.6);
/// assert_eq!(options.flow_threshold, 0.6);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The diameter of the cells.
    pub diameter: Diameter,
    /// The channel to segment, and the channel of the nuclei. Channels are counted from 1; 0 means the mean of all
    /// channels for the first, and none for the second.
    pub channels: [usize; 2],
    /// Whether the network gets the channels of the image as they are, the first as that of the cells (cellpose's
    /// `all_channels`); `channels` has no effect then. An image with more channels than the network takes is an error.
    pub all_channels: bool,
    /// How intensities are scaled.
    pub normalize: Normalize,
    /// A mask is dropped when the mean squared difference between the flows that follow from its shape and the network's
    /// flows exceeds this; 0 drops none. For volumes there is [`Options::flow3d_threshold`].
    pub flow_threshold: f64,
    /// Pixels whose `cellprob` exceeds this are in a cell. It is a logit, about -6 to 6, not a probability from 0 to 1.
    pub cellprob_threshold: f32,
    /// Steps along the flows. `None` or 0 takes 200 or, with `resample`, 200 times the ratio of the image's size to that of the
    /// network's input. At most 1,000,000.
    pub niter: Option<u32>,
    /// Masks of fewer pixels than this are dropped; 0 drops none.
    pub min_size: usize,
    /// Masks that cover more than this fraction of the image are dropped.
    pub max_size_fraction: f64,
    /// Whether the flows are followed at the size of the image (`true`) or of the network's input (`false`: faster, with
    /// coarser outlines).
    pub resample: bool,
    /// How the flow at a point between pixels is read. In a volume, [`Sampling::Bilinear`] is [`Sampling::GridSample`], as in
    /// cellpose.
    pub sampling: Sampling,
    /// Whether a mask may have several parts that are not connected. Otherwise it becomes its largest part, after the
    /// flow check and before holes are filled and small masks dropped, so `min_size` is measured at that part. Parts that
    /// touch only at a corner are not connected; of equally large parts, the one with the first pixel in row-major order
    /// stays. [`Compat::V3_1_1`] keeps all parts.
    pub keep_parts: bool,
    /// Whether masks that touch the border of the image are dropped.
    pub exclude_on_edges: bool,
    /// Whether to average the network over flipped tiles that overlap by half, which is slower.
    pub augment: bool,
    /// How many tiles go through the network together. `None` takes as many as keep a GPU busy; on the processor, 8 or
    /// the number of threads if that is larger. The result does not depend on it.
    pub batch_size: Option<usize>,
    /// The fraction of a tile that overlaps the next tile, from 0.05 to 0.5.
    pub tile_overlap: f64,
    /// Height and width of a tile in pixels: a multiple of 16, from 32 to 4096.
    pub bsize: usize,
    /// Of a volume: how many times farther apart its planes are than its pixels. The volume is stretched so much along z for
    /// the network. From 0.01 to 100.
    pub anisotropy: f64,
    /// Of a volume: the standard deviation of a Gaussian along z, y and x, in voxels, by which the flows are smoothed before
    /// they are followed. From 0, which does not smooth, to 1000.
    pub flow3d_smooth: [f64; 3],
    /// Of a volume: a mask is dropped when its flow error, as of [`Options::flow_threshold`], exceeds this; 0, the default,
    /// drops none, as cellpose does.
    pub flow3d_threshold: f64,
    /// Which bugs of cellpose are reproduced.
    pub compat: Compat,
    /// Whether `flows` and `cellprob` are returned with the masks. Without them, less is copied from a GPU.
    pub flows: bool,
    /// Whether the sums over each cell are returned with the masks, for [`measure`](crate::measure::Inputs::sums): a GPU
    /// computes them where the masks are. Volumes and stitched planes have none.
    pub sums: bool,
    /// Whether masks are computed. `false` leaves them out: the result has the maps and the style vector only.
    pub compute_masks: bool,
    /// The most bytes of memory that the segmentation of an image may take, with its pixels, its result and the network's
    /// weights; on a GPU, of the GPU's memory. `None` takes what is free: what the machine has, its control group allows
    /// and the limit of its address space leaves. An image that needs more is an [`Error::Memory`], before work begins.
    pub memory: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            diameter: Diameter::default(),
            channels: [0, 0],
            all_channels: false,
            normalize: Normalize::default(),
            flow_threshold: 0.4,
            cellprob_threshold: 0.0,
            niter: None,
            min_size: 15,
            max_size_fraction: 0.4,
            resample: true,
            sampling: Sampling::default(),
            keep_parts: false,
            exclude_on_edges: false,
            augment: false,
            batch_size: None,
            tile_overlap: 0.1,
            bsize: 224,
            anisotropy: 1.0,
            flow3d_smooth: [0.0; 3],
            flow3d_threshold: 0.0,
            compat: Compat::default(),
            flows: true,
            sums: false,
            compute_masks: true,
            memory: None,
        }
    }
}

setters!(
    Options: diameter: Diameter,
    channels: [usize; 2],
    all_channels: bool,
    normalize: Normalize,
    flow_threshold: f64,
    cellprob_threshold: f32,
    niter: Option<u32>,
    min_size: usize,
    max_size_fraction: f64,
    resample: bool,
    sampling: Sampling,
    keep_parts: bool,
    exclude_on_edges: bool,
    augment: bool,
    batch_size: Option<usize>,
    tile_overlap: f64,
    bsize: usize,
    anisotropy: f64,
    flow3d_smooth: [f64; 3],
    flow3d_threshold: f64,
    compat: Compat,
    flows: bool,
    sums: bool,
    compute_masks: bool,
    memory: Option<u64>,
);

impl Options {
    /// The steps along the flows of an image or a volume that was scaled by `scale` for the network.
    pub(crate) fn steps(&self, scale: f64) -> u32 {
        match (self.niter, self.resample) {
            (Some(niter), _) if niter > 0 => niter,
            (_, false) => 200,
            (_, true) => (1.0 / scale * 200.0) as u32,
        }
    }

    /// Checks that every option is in its range. [`crate::Segmenter`] does so for each call.
    ///
    /// # Errors
    /// [`Error::Option`] for the first value that is out of its range.
    pub fn check(&self) -> Result<()> {
        let fail = |name, reason: &str| Err(Error::option(name, reason));
        if let Diameter::Pixels(d) = self.diameter
            && !DIAMETERS.contains(&d)
        {
            return fail("diameter", &format!("is {}, but must be from 0.01 to 100000 pixels", number(d)));
        }
        if self.niter.is_some_and(|niter| niter > MAX_NITER) {
            return fail("niter", &format!("must be at most {MAX_NITER}"));
        }
        if let Diameter::Scale(scale) = self.diameter
            && !(0.001..=1000.0).contains(&scale)
        {
            return fail("rescale", &format!("is {scale}, but must be from 0.001 to 1000"));
        }
        self.normalize.check()?;
        if !self.flow_threshold.is_finite() {
            return fail("flow_threshold", "must be a finite number");
        }
        if !self.cellprob_threshold.is_finite() {
            return fail("cellprob_threshold", "must be a finite number");
        }
        if self.max_size_fraction.is_nan() || self.max_size_fraction <= 0.0 {
            return fail("max_size_fraction", "must be a positive number");
        }
        if self.batch_size == Some(0) {
            return fail("batch_size", "must be at least 1");
        }
        if !(0.05..=0.5).contains(&self.tile_overlap) {
            return fail("tile_overlap", "must be from 0.05 to 0.5");
        }
        if self.bsize < 32 || !self.bsize.is_multiple_of(16) || self.bsize > 4096 {
            return fail("bsize", "must be a multiple of 16 from 32 to 4096");
        }
        if !(0.01..=100.0).contains(&self.anisotropy) {
            return fail(
                "anisotropy",
                &format!("is {}, but must be from 0.01 to 100", number(self.anisotropy)),
            );
        }
        if !self.flow3d_threshold.is_finite() {
            return fail("flow3d_threshold", "must be a finite number");
        }
        if !self.flow3d_smooth.iter().all(|sigma| (0.0..=1000.0).contains(sigma)) {
            return fail("flow3d_smooth", "must be from 0 to 1000 voxels along each axis");
        }
        Ok(())
    }
}
