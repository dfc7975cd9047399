//! Groups of arguments that several commands share, and the words that they take.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use flowmask::Diameter;

use super::super::usage::utf8;
use super::values::{diameter, memory, perplexity};

#[derive(Args)]
#[command(next_help_heading = "Map")]
pub struct Map {
    /// Seed of the map's random start; the same seed gives the same map
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Perplexity: about how many neighbours each image has on the map; at most a third of the images
    #[arg(long, default_value_t = 30.0, value_name = "N", value_parser = perplexity)]
    pub perplexity: f64,
}

#[derive(Args)]
#[command(next_help_heading = "Input")]
pub struct Input {
    /// Take the images of all folders below a folder too, except hidden ones
    #[arg(short, long)]
    pub recursive: bool,
    /// Use only images whose name, without the extension, ends in SUFFIX
    #[arg(long, alias = "img_filter", value_name = "SUFFIX", value_parser = utf8())]
    pub img_filter: Option<String>,
    /// What each axis of the files is, slowest first, such as ZCYX or YXC: Y and X are rows and columns, C channels, Z
    /// depth, T time, any other letter more planes [default: what the file says, else a guess that --verbose tells]
    #[arg(long, value_name = "LETTERS", conflicts_with_all = ["channel_axis", "z_axis"])]
    pub axes: Option<String>,
    /// Axis of the channels, counted from 0, or from -1 at the end
    #[arg(long, alias = "channel_axis", value_name = "N", allow_negative_numbers = true)]
    pub channel_axis: Option<isize>,
    /// Axis of the depth, counted in the same way
    #[arg(long, alias = "z_axis", value_name = "N", allow_negative_numbers = true)]
    pub z_axis: Option<isize>,
    /// The image, counted from 1, of a file that has several [default: all]
    #[arg(long, value_name = "N")]
    pub series: Option<usize>,
    /// Channel of the cells, counted from 1; 0 is the mean of all channels
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub chan: usize,
    /// Channel of the nuclei, counted from 1; 0 means none
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub chan2: usize,
    /// Give the network the channels of the image as they are, the cells' first; --chan and --chan2 choose none then
    #[arg(long, alias = "all_channels", conflicts_with_all = ["chan", "chan2"])]
    pub all_channels: bool,
    /// The cells are dark on a bright background
    #[arg(long)]
    pub invert: bool,
    /// Percentiles of intensity that become 0 and 1 [default: 1 99]
    #[arg(
        long,
        alias = "norm_percentile",
        num_args = 2,
        value_names = ["LOW", "HIGH"],
        allow_negative_numbers = true
    )]
    pub norm_percentile: Option<Vec<f64>>,
    /// Do not scale the intensities
    #[arg(long, alias = "no_norm", conflicts_with_all = ["norm_percentile", "invert"])]
    pub no_norm: bool,
    #[command(flatten)]
    pub steps: super::Steps,
}

#[derive(Args)]
#[command(next_help_heading = "Model")]
pub struct Model {
    /// cyto, nuclei, cellpose:NAME (downloaded by `flowmask models pull` or Cellpose), or a model file; see `flowmask models`
    #[arg(
        long,
        alias = "pretrained-model",
        alias = "pretrained_model",
        default_value = "cyto",
        value_name = "MODEL",
        value_parser = utf8()
    )]
    pub model: String,
    /// Diameter of the cells in pixels; `auto` or 0 estimates it for each image [default: 30 for cyto, 17 for
    /// nuclei, and what a model file says about its training, its diam_labels]
    #[arg(long, value_parser = diameter, value_name = "PIXELS", allow_negative_numbers = true)]
    pub diameter: Option<Diameter>,
    /// Scale the image by this for the network, in place of a diameter
    #[arg(long, value_name = "FACTOR", conflicts_with = "diameter", allow_negative_numbers = true)]
    pub rescale: Option<f64>,
    /// Average the network over flipped tiles that overlap by half (slower)
    #[arg(long)]
    pub augment: bool,
    #[command(flatten)]
    pub tiles: Tiles,
}

#[derive(Args)]
pub struct Tiles {
    /// Fraction of a tile that overlaps the next tile, from 0.05 to 0.5
    #[arg(
        long,
        alias = "tile_overlap",
        default_value_t = 0.1,
        value_name = "FRACTION",
        allow_negative_numbers = true
    )]
    pub tile_overlap: f64,
    /// Height and width of the network's tiles in pixels, a multiple of 16
    #[arg(long, default_value_t = 224, value_name = "PIXELS")]
    pub bsize: usize,
}

#[derive(Args)]
#[command(next_help_heading = "Cells")]
pub struct Cells {
    /// Drop cells whose shape does not fit the network's flows: lower drops more, 0 drops none [default: 0.4, and 0 with
    /// --do-3d]
    #[arg(long, alias = "flow_threshold", value_name = "ERROR", allow_negative_numbers = true)]
    pub flow_threshold: Option<f64>,
    /// Pixels with a higher value (about -6 to 6) belong to cells: lower finds more and larger cells
    #[arg(
        long,
        alias = "cellprob_threshold",
        default_value_t = 0.0,
        value_name = "LOGIT",
        allow_negative_numbers = true
    )]
    pub cellprob_threshold: f32,
    /// Drop cells with fewer pixels than this; -1 drops none
    #[arg(
        long,
        alias = "min_size",
        default_value_t = 15,
        value_name = "PIXELS",
        allow_negative_numbers = true
    )]
    pub min_size: i64,
    /// Drop cells that cover more than this fraction of the image
    #[arg(
        long,
        alias = "max_size_fraction",
        default_value_t = 0.4,
        value_name = "FRACTION",
        allow_negative_numbers = true
    )]
    pub max_size_fraction: f64,
    /// Join the masks of neighbouring planes of a stack to cells of a volume where their IoU is at least this (0.25, say);
    /// 0 numbers the cells of each plane. Intensities are then scaled over all planes, and --min-size counts in all
    #[arg(
        long,
        alias = "stitch_threshold",
        default_value_t = 0.0,
        value_name = "IOU",
        allow_negative_numbers = true
    )]
    pub stitch_threshold: f64,
    /// Leave masks that are in several parts as they are; otherwise the largest part of each mask stays
    #[arg(long, alias = "keep_parts")]
    pub keep_parts: bool,
    /// Drop cells that touch the border of the image
    #[arg(long, alias = "exclude_on_edges")]
    pub exclude_on_edges: bool,
    /// Steps along the flows; 0 chooses by the diameter. Long cells need more steps, such as 2000
    #[arg(long, default_value_t = 0, value_name = "STEPS")]
    pub niter: u32,
    /// Follow the flows at the size of the network's input: faster, with coarser outlines
    #[arg(long, alias = "no_resample")]
    pub no_resample: bool,
    /// How to read flows between pixels: bilinear as Cellpose does on a CPU, grid-sample as on a GPU
    #[arg(long, value_enum, default_value_t = Sampling::Bilinear, value_name = "HOW")]
    pub sampling: Sampling,
    /// Do not interpolate: read the flow of the pixel that contains the point
    #[arg(long, alias = "no_interp", conflicts_with = "sampling")]
    pub no_interp: bool,
    /// Reproduce the bugs of this version of Cellpose, for comparisons: its filter of small cells, masks in several parts,
    /// channels of little contrast as zeros
    #[arg(long, value_enum, value_name = "VERSION")]
    pub compat: Option<Compat>,
}

#[derive(Args)]
#[command(next_help_heading = "Speed")]
pub struct Speed {
    /// Number of threads; 0 takes one for each core
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// Where to run: cpu, cuda (the first NVIDIA GPU), cuda:1, several as in cuda:0,cuda:1, or auto (all GPUs, or the
    /// processor if there are none); see `flowmask devices`
    #[arg(long, default_value = "cpu", value_name = "DEVICE", value_parser = utf8())]
    pub device: String,
    /// Precision of the network on a GPU: half (f16) or single (f32)
    #[arg(long, value_enum, default_value_t = Precision::F16, value_name = "PRECISION")]
    pub precision: Precision,
    /// Kernels of the convolutions in half precision on a GPU, such as sm_80, so that every card computes the same [default:
    /// the fastest by measurement; see `flowmask devices`]
    #[arg(long, value_name = "NAME", value_parser = utf8())]
    pub kernels: Option<String>,
    /// Tiles that go through the network together; more need more memory, and the result is the same [default: as many
    /// as keep a GPU busy; on the processor 8, or the number of threads if larger]
    #[arg(long, alias = "batch_size", value_name = "N")]
    pub batch_size: Option<usize>,
    /// The most memory that an image may take, such as 4GB, 500MB or 2GiB [default: what is free]
    #[arg(long, value_parser = memory, value_name = "SIZE")]
    pub memory: Option<u64>,
    /// Instruction set of the convolutions: avx512, avx2, neon or portable; left out, the fastest that the processor has
    #[arg(long, aliases = ["cpu_isa", "cpu-kernel", "cpu_kernel"], value_name = "NAME", value_parser = utf8())]
    pub cpu_isa: Option<String>,
}

/// Read before the other arguments: see `config`.
#[derive(Args)]
#[command(next_help_heading = "Configuration")]
pub struct Config {
    /// Take flags from a TOML file, such as `diameter = 30` or `overlay = true`; those on the command line win. Tables
    /// [segment], [restore], [styles] and [evaluate] are for one command
    #[arg(long = "config", id = "config", value_name = "FILE")]
    pub _file: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Sampling {
    Bilinear,
    GridSample,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Precision {
    F16,
    F32,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Compat {
    #[value(name = "3.1.1")]
    V3_1_1,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Tif,
    Png,
    Npy,
}

/// The formats that hold several planes.
#[derive(Clone, Copy, ValueEnum)]
pub enum StackFormat {
    Tif,
    Npy,
}
