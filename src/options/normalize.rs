//! The options of how intensities are scaled.

use super::setters;
use crate::{Error, Result};

/// The largest radius of a Gaussian, in pixels. The time of smoothing grows with the radius.
const MAX_RADIUS: f64 = 1000.0;

/// The least height and width of a block, in pixels: of fewer than 16 values, percentiles say nothing.
const MIN_BLOCK: usize = 4;

/// How intensities are scaled to a common range before the network.
///
/// The steps are: the channels are smoothed and sharpened; then they are scaled, by percentiles of the whole channel
/// or, with `tile_norm_blocksize`, of its parts; then they are inverted. With `lowhigh` they are scaled by that and
/// inverted only.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// Whether to scale at all; `false` gives the network the pixel values as stored.
    pub enabled: bool,
    /// The percentiles of each channel that become 0 and 1, from 0 to 100.
    pub percentile: [f64; 2],
    /// Whether the cells are dark on a bright background; intensities are then inverted.
    pub invert: bool,
    /// The intensities that become 0 and 1, in place of percentiles: those of the cells' channel, and those of the
    /// channel of the nuclei. Where there is none, that channel stays zeros.
    pub lowhigh: Option<[[f64; 2]; 2]>,
    /// The standard deviation in pixels of the Gaussian whose surround is subtracted, which sharpens what is blurred:
    /// about an eighth to a half of the cells' diameter. 0, the default, does not sharpen.
    pub sharpen_radius: f64,
    /// The standard deviation in pixels of the Gaussian that smooths noise: about a tenth to a quarter of the cells'
    /// diameter, and less than half of `sharpen_radius`. 0, the default, does not smooth.
    pub smooth_radius: f64,
    /// The height and width in pixels of the blocks of the image of which each has percentiles of its own, which
    /// brightens dark parts; 100, say, and at least 4. 0, the default, takes the percentiles of the whole channel.
    pub tile_norm_blocksize: usize,
    /// The standard deviation, in blocks along y, by which the percentiles of blocks are smoothed once more with
    /// `norm3d`; 0 is 1, the default. (The original means to smooth along z, and its smoothing runs along y.)
    pub tile_norm_smooth3d: f64,
    /// Of a volume or a stack that is stitched: whether percentiles are those of all planes together (`true`, the
    /// default) or of each plane.
    pub norm3d: bool,
}

impl Default for Normalize {
    fn default() -> Self {
        Normalize {
            enabled: true,
            percentile: [1.0, 99.0],
            invert: false,
            lowhigh: None,
            sharpen_radius: 0.0,
            smooth_radius: 0.0,
            tile_norm_blocksize: 0,
            tile_norm_smooth3d: 1.0,
            norm3d: true,
        }
    }
}

setters!(
    Normalize: enabled: bool,
    percentile: [f64; 2],
    invert: bool,
    lowhigh: Option<[[f64; 2]; 2]>,
    sharpen_radius: f64,
    smooth_radius: f64,
    tile_norm_blocksize: usize,
    tile_norm_smooth3d: f64,
    norm3d: bool,
);

impl Normalize {
    /// # Errors
    /// [`Error::Option`] for the first value that is out of its range, or that has no effect beside another.
    pub(super) fn check(&self) -> Result<()> {
        let fail = |name, reason: &str| Err(Error::option(name, reason));
        let [low, high] = self.percentile;
        if !(0.0 <= low && low < high && high <= 100.0) {
            return fail("percentile", "must be two numbers from 0 to 100, the lower one first");
        }
        for (name, radius) in [
            ("sharpen_radius", self.sharpen_radius),
            ("smooth_radius", self.smooth_radius),
            ("tile_norm_smooth3d", self.tile_norm_smooth3d),
        ] {
            if !(0.0..=MAX_RADIUS).contains(&radius) {
                return fail(name, &format!("is {radius}, but must be from 0 to {MAX_RADIUS}"));
            }
        }
        if (1..MIN_BLOCK).contains(&self.tile_norm_blocksize) {
            let reason =
                format!("is {}, but must be 0 or at least {MIN_BLOCK} pixels", self.tile_norm_blocksize);
            return fail("tile_norm_blocksize", &reason);
        }
        let steps = [
            ("lowhigh", self.lowhigh.is_some()),
            ("sharpen_radius", self.sharpen_radius > 0.0),
            ("smooth_radius", self.smooth_radius > 0.0),
            ("tile_norm_blocksize", self.tile_norm_blocksize > 0),
        ];
        let first = |from: usize| steps[from..].iter().find(|(_, given)| *given);
        if let (false, Some((name, _))) = (self.enabled, first(0)) {
            return fail(name, "has no effect on intensities that are not scaled");
        }
        match (self.lowhigh, first(1)) {
            (Some(_), Some((name, _))) => fail(name, "has no effect beside lowhigh"),
            (Some(lowhigh), None) if !lowhigh.iter().all(is_range) => {
                fail("lowhigh", "must be two numbers up to 1e30 for each channel, the lower one first")
            }
            _ => Ok(()),
        }
    }

    /// Whether there are steps that need a whole plane before its first pixel is done.
    pub(crate) fn needs_planes(&self) -> bool {
        self.sharpen_radius > 0.0 || self.smooth_radius > 0.0 || self.tile_norm_blocksize > 0
    }
}

/// Whether a pixel's value can be divided by the distance of the two numbers.
fn is_range(&[low, high]: &[f64; 2]) -> bool {
    let pixels = low.abs().max(high.abs()) <= f64::from(crate::plan::channels::MAX_PIXEL);
    pixels && (high - low) as f32 > 0.0
}
