//! The kernels in half precision that can compute a convolution. `kernels/conv_f32.cu`, in single precision, is the
//! reference and none of them.

use super::super::Gpu;
use super::shape::{Shape, squares};
use super::{ConvSum, Layout, Map, Size};
use crate::{Error, Result};

/// A way to compute convolutions in half precision.
#[non_exhaustive]
#[derive(Debug)]
pub struct Variant {
    /// The name, which `--kernels` takes: the architecture that it needs at least, or alone where a letter follows the
    /// number, and `apart` if the quarters of a strip lie apart.
    pub name: &'static str,
    /// The file of `kernels` that has it. The name of a file tells which cards it is for.
    pub file: &'static str,
    /// The order of the weights.
    pub layout: Layout,
    /// Whether the quarters of a strip lie apart. Source and projection must then have the same size.
    pub apart: bool,
    /// It takes a multiple of so many stored outputs,
    pub outputs: usize,
    /// and tiles of at least so many squares of 4×4 pixels.
    pub quarters: usize,
    /// What a strip costs beside those of the others of its layout, where nothing was measured.
    pub(super) cost: f64,
    /// Whether it may be chosen without having been measured.
    pub(super) usual: bool,
    pub(super) launch: fn(&ConvSum, &Gpu, Size, &Map) -> Result<()>,
}

/// All variants. A strip with its quarters apart copies 18 % more for each slice, so that it has to save a fifth of the
/// strips.
pub const VARIANTS: &[Variant] = &[
    Variant {
        name: "sm_80",
        file: "conv",
        layout: Layout::Lanes,
        apart: false,
        outputs: 32,
        quarters: 0,
        cost: 4.0,
        usual: true,
        launch: |sum, gpu, size, out| sum.launch_warps(gpu, size, out, false),
    },
    Variant {
        name: "sm_80_apart",
        file: "conv",
        layout: Layout::Lanes,
        apart: true,
        outputs: 64,
        quarters: Shape { groups: 2, apart: true }.squares(),
        cost: 5.0,
        usual: true,
        launch: |sum, gpu, size, out| sum.launch_warps(gpu, size, out, true),
    },
    Variant {
        name: "sm_90a",
        file: "conv_sm_90a",
        layout: Layout::Pieces,
        apart: false,
        outputs: 64,
        quarters: 0,
        cost: 4.0,
        usual: false,
        launch: |sum, gpu, size, out| sum.launch_warp_groups(gpu, size, out, false),
    },
    Variant {
        name: "sm_90a_apart",
        file: "conv_sm_90a",
        layout: Layout::Pieces,
        apart: true,
        outputs: 64,
        // With fewer, the tiles of a thread block could not be told apart.
        quarters: 5,
        cost: 5.0,
        usual: false,
        launch: |sum, gpu, size, out| sum.launch_warp_groups(gpu, size, out, true),
    },
];

/// What the time of a convolution depends on beside the size of its maps: the stored channels of the source, of the
/// projection's source (0 without one) and of the result; which of the sources are taken at twice their size; and
/// whether there is an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Stored channels of the source,
    pub inputs: usize,
    /// of the projection's source, or 0,
    pub proj_inputs: usize,
    /// and of the result.
    pub outputs: usize,
    /// Whether the source is taken at twice its size.
    pub up: bool,
    /// Whether the projection's source is.
    pub proj_up: bool,
    /// Whether there is an activation.
    pub act: bool,
}

impl Variant {
    /// The variant of this name.
    ///
    /// # Errors
    /// [`Error::Option`] for another name.
    pub fn named(name: &str) -> Result<&'static Variant> {
        VARIANTS.iter().find(|variant| variant.name == name).ok_or_else(|| {
            let names: Vec<&str> = VARIANTS.iter().map(|variant| variant.name).collect();
            Error::option("kernels", format!("{name} is not a kernel; there are {}", names.join(", ")))
        })
    }

    /// Whether it can compute a convolution of this kind, for tiles of this size.
    pub fn can(&self, kind: Kind, size: Size) -> bool {
        let same = kind.proj_inputs == 0 || kind.proj_up == kind.up;
        let lie = !self.apart || (same && squares(size, 4) >= self.quarters);
        lie && kind.outputs.is_multiple_of(self.outputs)
    }

    /// How many strips it makes of a tile, four times: the quarters, whether they lie apart or together.
    pub(super) fn quarters_of(&self, size: Size) -> usize {
        if self.apart { squares(size, 4) } else { 4 * squares(size, 8) }
    }
}
