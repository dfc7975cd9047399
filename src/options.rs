//! What a user can choose for one image. Names and defaults are those of cellpose 3.1.1.

use crate::{Error, Result};

/// How large the cells are. The image is scaled so that they come to the size that the network knows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Diameter {
    /// The model's own `diam_mean`: the image is not scaled.
    #[default]
    Model,
    /// Median diameter of the cells in pixels.
    Pixels(f64),
    /// Estimated from the image by the model's size model.
    Auto,
}

/// How a point reads the flow under it while it follows the flows. The kernels and the C interface have the same
/// numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Sampling {
    /// Bilinear, as cellpose does in 2D on a CPU.
    #[default]
    Bilinear = 0,
    /// As `torch.nn.functional.grid_sample` with `align_corners=False` does it: half a pixel off, zeros
    /// outside. Cellpose does so on a GPU and in 3D.
    GridSample = 1,
    /// The flow of the pixel that the point is in (`interp=False`).
    Nearest = 2,
}

/// Which faults of the original are reproduced.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// None.
    #[default]
    None,
    /// The small-mask filter of cellpose 3.1.1, which removes wrong cells after the flow check.
    V3_1_1,
}

/// In what the network computes on a GPU.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Maps and weights in half precision, sums in single precision, on the tensor cores. Half precision ends at 65504,
    /// which no normalised image comes near; for images that are not normalised ([`Normalize::enabled`]) and go
    /// beyond, take the other.
    #[default]
    F16,
    /// Single precision throughout: the reference on the device.
    F32,
}

/// Methods that set a field each, for other crates: they cannot name all fields of a struct that will have more.
macro_rules! setters {
    ($of:ident: $($field:ident: $kind:ty),+ $(,)?) => {
        impl $of {
            $(
                #[doc = concat!("The same with another [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}

/// How the intensities are brought to a common range before the network.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// `false` gives the network the pixels as they are.
    pub enabled: bool,
    /// The percentiles that become 0 and 1, each from 0 to 100.
    pub percentile: [f64; 2],
    /// Dark cells on a bright ground.
    pub invert: bool,
}

impl Default for Normalize {
    fn default() -> Self {
        Normalize { enabled: true, percentile: [1.0, 99.0], invert: false }
    }
}

setters!(Normalize: enabled: bool, percentile: [f64; 2], invert: bool);

/// Everything that can be chosen for one image.
///
/// ```
/// use flowmask::{Diameter, Options};
/// let options = Options::default().diameter(Diameter::Pixels(40.0)).flow_threshold(0.6);
/// assert_eq!(options.flow_threshold, 0.6);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Size of the cells.
    pub diameter: Diameter,
    /// The channel to segment and the channel of the nuclei: 0 is the mean of all channels (for the second:
    /// none), 1 the first channel.
    pub channels: [usize; 2],
    /// Intensity range.
    pub normalize: Normalize,
    /// A mask is dropped when the mean squared difference between its flows and the network's exceeds this;
    /// 0 drops none.
    pub flow_threshold: f64,
    /// Pixels whose cell probability (a logit, not a probability from 0 to 1) exceeds this are in a cell.
    pub cellprob_threshold: f32,
    /// Steps along the flows; `None` takes 200, times the factor to the image's scale when resampling.
    pub niter: Option<u32>,
    /// Masks of fewer pixels are dropped; 0 drops none.
    pub min_size: usize,
    /// Masks that cover more than this part of the image are dropped.
    pub max_size_fraction: f64,
    /// Follow the flows at the image's scale rather than at the network's.
    pub resample: bool,
    /// How a point reads the flow under it.
    pub sampling: Sampling,
    /// Drop masks that touch the border of the image.
    pub exclude_on_edges: bool,
    /// Average over flipped tiles that overlap by half.
    pub augment: bool,
    /// Tiles that go through the network together; `None` takes 8 on the processor, or one a thread where
    /// there are more, and as many as keep a GPU busy. Has no effect on the result.
    pub batch_size: Option<usize>,
    /// Part of a tile that overlaps the next one, from 0.05 to 0.5.
    pub tile_overlap: f64,
    /// Side of a tile in pixels, a multiple of 16.
    pub bsize: usize,
    /// Faults of the original to reproduce.
    pub compat: Compat,
    /// Whether the flows and the cell probability are returned with the masks. Without them less is copied from a GPU.
    pub flows: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            diameter: Diameter::default(),
            channels: [0, 0],
            normalize: Normalize::default(),
            flow_threshold: 0.4,
            cellprob_threshold: 0.0,
            niter: None,
            min_size: 15,
            max_size_fraction: 0.4,
            resample: true,
            sampling: Sampling::default(),
            exclude_on_edges: false,
            augment: false,
            batch_size: None,
            tile_overlap: 0.1,
            bsize: 224,
            compat: Compat::default(),
            flows: true,
        }
    }
}

setters!(
    Options: diameter: Diameter,
    channels: [usize; 2],
    normalize: Normalize,
    flow_threshold: f64,
    cellprob_threshold: f32,
    niter: Option<u32>,
    min_size: usize,
    max_size_fraction: f64,
    resample: bool,
    sampling: Sampling,
    exclude_on_edges: bool,
    augment: bool,
    batch_size: Option<usize>,
    tile_overlap: f64,
    bsize: usize,
    compat: Compat,
    flows: bool,
);

impl Options {
    /// Checks every range, so that no later stage has to.
    ///
    /// # Errors
    /// [`Error::Option`] for the first value that is out of its range.
    pub fn check(&self) -> Result<()> {
        let fail = |name, reason: &str| Err(Error::option(name, reason));
        if let Diameter::Pixels(d) = self.diameter
            && !(d.is_finite() && d > 0.0)
        {
            return fail("diameter", "must be a positive number of pixels");
        }
        let [low, high] = self.normalize.percentile;
        if !(0.0 <= low && low < high && high <= 100.0) {
            return fail("percentile", "must be two numbers from 0 to 100, the lower one first");
        }
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
        Ok(())
    }
}
