//! The arguments of restoration, of `flowmask restore` and of `flowmask segment`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use flowmask::{Diameter, output};

use super::super::usage::utf8;
use super::values::diameter;
use super::{Compat, Config, Input, Speed, Tiles};

#[derive(Args)]
#[command(next_help_heading = "Restoration")]
pub struct Restoration {
    /// Restore images with this network before they are segmented: a network of Cellpose 3 such as denoise_cyto3,
    /// deblur_cyto3 or upsample_nuclei, or a file
    #[arg(long, aliases = ["restore-type", "restore_type"], value_name = "MODEL", value_parser = utf8())]
    pub restore: Option<String>,
    #[command(flatten)]
    pub chan2: Chan2,
}

#[derive(Args)]
pub struct Chan2 {
    /// Restore the channel of the nuclei (--chan2) with a network of its own: of Cellpose's networks, the one for nuclei
    /// that does the same; or another one, written --chan2-restore=MODEL
    #[arg(
        long,
        alias = "chan2_restore",
        value_name = "MODEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = utf8()
    )]
    pub chan2_restore: Option<String>,
}

#[derive(Args)]
pub struct Restore {
    /// Images, folders, quoted patterns such as 'a/*.tif' or 'a/**/*.tif', or - for a list on standard input, with one
    /// name on each line
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// The network: one of Cellpose 3 such as denoise_cyto3, deblur_cyto3, upsample_nuclei or oneclick_cyto3 (downloaded by
    /// `flowmask models pull` or Cellpose), or a file
    #[arg(long, aliases = ["restore", "restore-type", "restore_type"], value_name = "MODEL", value_parser = utf8())]
    pub model: String,
    #[command(flatten)]
    pub chan2: Chan2,
    /// Diameter of the cells in pixels: images are scaled by it for the network; networks that enlarge make cells of up to
    /// 30 pixels (17 of nuclei) so large [default: images are not scaled]
    #[arg(long, value_parser = diameter, value_name = "PIXELS", allow_negative_numbers = true)]
    pub diameter: Option<Diameter>,
    #[command(flatten)]
    pub tiles: Tiles,
    /// Reproduce the bugs of this version of Cellpose: --chan2-restore has no effect
    #[arg(long, value_enum, value_name = "VERSION")]
    pub compat: Option<Compat>,
    #[command(flatten)]
    pub input: Input,
    /// Folder for the outputs, created if missing [default: beside each image]
    #[arg(short = 'o', long = "output", alias = "savedir", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Format of NAME_restored: TIFF or NPY, both of 32-bit floats
    #[arg(long, value_enum, default_value_t = Floats::Tif, value_name = "FORMAT")]
    pub format: Floats,
    /// Replace any file; left out, only files that say that flowmask wrote them (NPY cannot) are replaced
    #[arg(long)]
    pub overwrite: bool,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub speed: Speed,
    #[command(flatten)]
    pub config: Config,
}

/// Formats of images of floats.
#[derive(Clone, Copy, ValueEnum)]
pub enum Floats {
    Tif,
    Npy,
}

impl Floats {
    /// The format in the library.
    pub fn of_library(self) -> output::Format {
        match self {
            Floats::Tif => output::Format::Tif,
            Floats::Npy => output::Format::Npy,
        }
    }
}
