//! The arguments that say which outputs are written, and where.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::usage::utf8;
use super::Format;

#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Folder for the outputs, created if missing [default: beside each image]
    #[arg(short = 'o', long = "output", alias = "savedir", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// What to write, as in masks,rois,csv [default: masks]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub outputs: Vec<Wanted>,
    /// Format of the label image NAME_masks, and with npy also of maps; PNG holds one plane with up to 65,535 cells
    #[arg(long, value_enum, default_value_t = Format::Tif, value_name = "FORMAT")]
    pub format: Format,
    /// Also write NAME_overlay.png, the image with the outlines of the cells; as does --outputs masks,overlay
    #[arg(long)]
    pub overlay: bool,
    /// Enlarge overlays so many times, from 1 to 8
    #[arg(
        long,
        alias = "overlay_scale",
        default_value_t = 1,
        value_name = "FACTOR",
        value_parser = clap::value_parser!(u8).range(1..=8)
    )]
    pub overlay_scale: u8,
    #[command(flatten)]
    pub places: Places,
    /// Replace any file; left out, only files that say that flowmask wrote them (NPY cannot) are replaced
    #[arg(long)]
    pub overwrite: bool,
    /// Skip images whose outputs are all there already
    #[arg(long, alias = "skip_existing")]
    pub skip_existing: bool,
    /// Print one line of JSON for each image
    #[arg(long)]
    pub json: bool,
    /// Also print the model, the device and, for each image, its axes, scale and tiles
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
}

/// Runs over many images.
#[derive(Args)]
#[command(next_help_heading = "Many images")]
pub struct Many {
    /// Take only the images of part I of N, such as 2/8, of equal parts of the list: for several machines, which write into
    /// one folder
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<Shard>,
    /// Write to FILE what becomes of each image, with the model, its SHA-256, all options and the seconds of each stage
    #[arg(long, alias = "run_json", value_name = "FILE")]
    pub run_json: Option<PathBuf>,
    /// Go on with a run that was stopped: leave out the images that the file of --run-json says are done
    #[arg(long, requires = "run_json")]
    pub resume: bool,
}

/// Part `index`, from 0, of `count` equal parts of the images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Whether the image at this place of the list is in this part.
    pub fn has(self, place: usize) -> bool {
        place % self.count == self.index
    }
}

/// Reads a part such as 2/8.
fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').map(|(index, count)| (index.parse::<usize>(), count.parse()));
    match parts {
        Some((Ok(index), Ok(count))) if (1..=count).contains(&index) => Ok(Shard { index: index - 1, count }),
        _ => Err("must be I/N, such as 2/8: part I of N, from 1 to N".into()),
    }
}

/// Where outputs lie, and what label files are called.
#[derive(Args, Clone, Default)]
pub struct Places {
    /// What label files have after the name of the image; _cp_masks is Cellpose's
    #[arg(long, alias = "output_name", default_value = "_masks", value_name = "TEXT", value_parser = utf8())]
    pub suffix: String,
    /// Sort outputs into folders: masks, outlines (overlays), txt_outlines, flows, rois, tables and seg
    #[arg(long, alias = "in_folders")]
    pub in_folders: bool,
    /// Write outputs into the folder above that of the image
    #[arg(long, alias = "dir_above", conflicts_with = "dir")]
    pub dir_above: bool,
}

/// An output of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Wanted {
    /// NAME_masks.tif: the label image
    Masks,
    /// NAME_overlay.png: the image with the outlines of the cells
    Overlay,
    /// NAME_rois.zip: polygons for ImageJ and Fiji
    Rois,
    /// NAME_cells.geojson: polygons for QuPath
    Geojson,
    /// NAME_outlines.txt: a line of coordinates for each cell
    Outlines,
    /// NAME_flows.png and NAME_flows.tif: the network's flows as colours, and as they are
    Flows,
    /// NAME_cellprob.tif: the logit of the probability that a pixel is in a cell
    Prob,
    /// NAME_seg.npy: for the window of Cellpose
    Seg,
    /// Cellpose's picture of the outlines.
    #[value(skip)]
    Outlined,
    /// The flows as colours, in one file.
    #[value(skip)]
    FlowColors,
    /// The flows as they are, in one file.
    #[value(skip)]
    FlowMaps,
}

impl Output {
    /// The outputs, each once, in their order.
    pub fn wanted(&self) -> Vec<Wanted> {
        let mut wanted = self.outputs.clone();
        if wanted.is_empty() {
            wanted.push(Wanted::Masks);
        }
        if self.overlay {
            wanted.push(Wanted::Overlay);
        }
        wanted.sort();
        wanted.dedup();
        wanted
    }
}
