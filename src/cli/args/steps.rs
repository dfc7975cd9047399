//! The arguments for the steps that come before and in place of percentiles.

use clap::Args;
use flowmask::Normalize;

use super::values::lowhigh;

#[derive(Args)]
#[command(next_help_heading = "Intensities")]
pub struct Steps {
    /// Intensities that become 0 and 1, such as 100,4000, in place of percentiles; four numbers are two for the channel of the
    /// cells and two for that of the nuclei
    #[arg(
        long,
        value_name = "LOW,HIGH",
        value_parser = lowhigh,
        conflicts_with_all = ["norm_percentile", "no_norm"],
        allow_hyphen_values = true
    )]
    pub lowhigh: Option<[[f64; 2]; 2]>,
    /// Sharpen: subtract the surround that a Gaussian of so many pixels sees, an eighth to a half of the cells' diameter
    #[arg(long, alias = "sharpen_radius", value_name = "PIXELS", allow_negative_numbers = true)]
    pub sharpen_radius: Option<f64>,
    /// Smooth noise by a Gaussian of so many pixels, a tenth to a quarter of the cells' diameter
    #[arg(long, alias = "smooth_radius", value_name = "PIXELS", allow_negative_numbers = true)]
    pub smooth_radius: Option<f64>,
    /// Take the percentiles of blocks of this height and width, such as 100, which brightens dark parts of an image
    #[arg(long, alias = "tile_norm_blocksize", value_name = "PIXELS")]
    pub tile_norm_blocksize: Option<usize>,
    /// Smooth the percentiles of blocks along y by so many blocks more [default: 1]
    #[arg(
        long = "tile-norm-smooth3d",
        aliases = ["tile_norm_smooth3d", "tile_norm_smooth3D", "tile-norm-smooth3D"],
        value_name = "BLOCKS",
        allow_negative_numbers = true
    )]
    pub tile_norm_smooth3d: Option<f64>,
    /// With --do-3d or --stitch-threshold, and where a stack is restored: take the percentiles of each plane, not those of all
    /// planes together
    #[arg(long = "no-norm3d", aliases = ["no_norm3d", "no_norm3D", "no-norm3D"])]
    pub no_norm3d: bool,
}

/// Whether planes are normalised together.
#[derive(Clone, Copy, PartialEq)]
pub enum Together {
    /// Each plane is an image of its own.
    Never,
    /// Unless --no-norm3d is given.
    Chosen,
    /// Also with --no-norm3d, which the original's volumes do not heed.
    Always,
}

impl Steps {
    /// The flag that is given and has no effect; `planes` says which planes are normalised together.
    pub fn unused(&self, planes: Together) -> Option<&'static str> {
        let blocks = self.tile_norm_blocksize.is_some_and(|size| size > 0);
        match (self.no_norm3d, self.tile_norm_smooth3d) {
            (_, Some(_)) if !blocks => Some(
                "without --tile-norm-blocksize there are no blocks, so --tile-norm-smooth3d changes nothing",
            ),
            (true, _) if planes == Together::Always => {
                Some("with --do-3d, --compat 3.1.1 takes all planes together, so --no-norm3d changes nothing")
            }
            (true, Some(_)) => Some("with --no-norm3d, --tile-norm-smooth3d changes nothing"),
            (true, None) if planes == Together::Never && !blocks => {
                Some("there are no planes that are normalised together, so --no-norm3d changes nothing")
            }
            _ => None,
        }
    }

    /// Sets what is given.
    pub fn set(&self, normalize: Normalize) -> Normalize {
        let default = Normalize::default();
        normalize
            .lowhigh(self.lowhigh)
            .sharpen_radius(self.sharpen_radius.unwrap_or(default.sharpen_radius))
            .smooth_radius(self.smooth_radius.unwrap_or(default.smooth_radius))
            .tile_norm_blocksize(self.tile_norm_blocksize.unwrap_or(default.tile_norm_blocksize))
            .tile_norm_smooth3d(self.tile_norm_smooth3d.unwrap_or(default.tile_norm_smooth3d))
            .norm3d(!self.no_norm3d)
    }
}
