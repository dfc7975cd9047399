//! The arguments of commands that take label files.

use std::path::PathBuf;

use clap::Args;

use super::super::usage::utf8;
use super::outputs::{Output, Wanted};
use super::values::memory;

/// Which label files, and what their axes are.
#[derive(Args, Clone)]
pub struct Labels {
    /// Label files (TIFF, PNG, NPY, or _seg.npy of Cellpose), folders, quoted patterns such as 'a/*_masks.tif', or - for a
    /// list on standard input, with one name on each line
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Take the label files of all folders below a folder too, except hidden ones
    #[arg(short, long)]
    pub recursive: bool,
    /// Use only files whose name, without the extension, ends in SUFFIX
    #[arg(long, alias = "img_filter", value_name = "SUFFIX", value_parser = utf8())]
    pub img_filter: Option<String>,
    /// What each axis of the files is, slowest first, such as ZYX or TZYX [default: what the file says]
    #[arg(long, value_name = "LETTERS", conflicts_with = "z_axis")]
    pub axes: Option<String>,
    /// Axis of the depth, counted from 0, or from -1 at the end
    #[arg(long, alias = "z_axis", value_name = "N", allow_negative_numbers = true)]
    pub z_axis: Option<isize>,
    /// The most memory for a file, for its labels and for what is done with them, such as 4GB [default: what is free]
    #[arg(long, value_parser = memory, value_name = "SIZE")]
    pub memory: Option<u64>,
}

/// Label files, and what they are measured with.
#[derive(Args, Clone)]
pub struct Pictured {
    #[command(flatten)]
    pub labels: Labels,
    /// The images of the labels, for overlays and intensities: a file, or a folder with a file of the same name (cells.png for
    /// cells_masks.tif)
    #[arg(long, value_name = "PATH")]
    pub images: Option<PathBuf>,
    /// For tables: cells have the same label in all planes along Z, as after --do-3d or `flowmask stitch`
    #[arg(long)]
    pub volumes: bool,
}

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    pub pictured: Pictured,
    #[command(flatten)]
    pub output: Output,
}

impl Export {
    /// Refuses outputs that cannot be made.
    pub fn check(&self) -> anyhow::Result<()> {
        let wanted = self.output.wanted();
        for kind in [Wanted::Flows, Wanted::Prob] {
            if wanted.contains(&kind) {
                anyhow::bail!("--outputs: {} is of the network; `flowmask segment` writes it", kind.name());
            }
        }
        anyhow::ensure!(!self.output.outputs.is_empty(), "say what to write, such as --outputs rois,geojson");
        if wanted.contains(&Wanted::Overlay) && self.pictured.images.is_none() {
            anyhow::bail!("--outputs overlay: name the images too: --images PATH");
        }
        Ok(())
    }
}
