//! The arguments and their help texts. Names and defaults are those of cellpose 3.1.1; its spelling with underscores is
//! accepted too.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use flowmask::Diameter;

use super::usage::utf8;

const EXAMPLES: &str = "Examples:
  flowmask segment cells.tif                      writes cells_masks.tif beside it
  flowmask segment scans -o results --overlay     segments every image of the folder
  flowmask segment 'scans/*_dapi.png' --model nuclei --diameter 20

Exit codes: 0 all images are done, 1 some images failed, 2 nothing could be started.";

const EVALUATE: &str = "\
Files are paired by name: a_labels.png of the truth with a_masks.tif of a prediction. The endings _cp_masks, _masks, \
_mask, _labels, _label and _seg do not count as part of a name. When a folder has files with such endings, its other \
files are ignored.

Each plane of a stack is an image of its own, as `flowmask segment` numbers its cells. With --volumes, all planes of a file \
are one image (of a file with time and z, those of each time point): cells are compared over all planes, outlines within \
planes, and the gallery shows the middle plane.

Scores are means over the images. AP is TP / (TP + FP + FN) at an IoU of 0.5, 0.75 and 0.9; mAP is its mean from 0.5 to \
0.95. F1 is at an IoU of 0.5. PQ is the panoptic quality, AJI the aggregated Jaccard index. \"boundary\" is the F score of \
the outlines within a tenth of the cell diameter. Dice compares cells with background. \"cells\" (of the truth), \
\"found\", \"splits\" and \"merges\" are counts, summed over the images.

Examples:
  flowmask evaluate --truth labels --pred results
  flowmask evaluate --truth labels --pred ours --pred stardist -o scores

Exit codes: 0 all files were compared, 1 some were not, 2 nothing could be compared.";

const STYLES_HELP: &str =
    "Writes styles.csv and styles.npy, with one row for each image (for each plane of a stack), \
and, from 4 images on, a t-SNE map of them: styles.svg, styles.png and styles.html.

Exit codes: 0 all images are done, 1 some images failed, 2 nothing could be started.";

/// Find every cell in microscope images, with the networks of Cellpose 1 to 3.
#[derive(Parser)]
#[command(name = "flowmask", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Find the cells in images and write label images: 0 is background, cells are 1 to n
    #[command(after_help = EXAMPLES)]
    Segment(Segment),
    /// Score label images against the truth: average precision, F1, AJI, boundaries and more
    #[command(after_help = EVALUATE)]
    Evaluate(Evaluate),
    /// Write the style vector of each image, and draw a map on which similar images are near each other
    #[command(after_help = STYLES_HELP)]
    Styles(Styles),
    /// List the built-in models and those of Cellpose that are there, or download the latter
    Models(super::models::Args),
    /// Convert a model file between PyTorch and safetensors
    Convert(Convert),
    /// Print the completions of a shell
    #[command(after_help = super::generate::COMPLETIONS)]
    Completions(super::generate::Completions),
    /// Print the man page, or write those of all commands into a folder
    Man(super::generate::Man),
    /// Show the processor, the GPUs, and what is missing to use them
    #[cfg(feature = "cuda")]
    #[command(after_help = super::devices::HELP)]
    Devices(super::devices::Args),
}

#[derive(Args)]
pub struct Segment {
    /// Images, folders, quoted patterns such as 'a/*.tif' or 'a/**/*.tif', or - for a list on standard input, with one
    /// name on each line
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub cells: Cells,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub speed: Speed,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Args)]
pub struct Styles {
    /// Images, folders, quoted patterns such as 'a/*.tif' or 'a/**/*.tif', or - for a list on standard input, with one
    /// name on each line. On the map, images of the same folder have the same colour
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Folder for the outputs, created if missing
    #[arg(short = 'o', long = "output", alias = "savedir", default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Replace any file; left out, only outputs of flowmask are replaced
    #[arg(long)]
    pub overwrite: bool,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub map: Map,
    #[command(flatten)]
    pub speed: Speed,
    #[command(flatten)]
    pub config: Config,
}

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
    /// Average the network over flipped tiles that overlap by half (slower)
    #[arg(long)]
    pub augment: bool,
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
    /// Drop cells whose shape does not fit the network's flows: lower drops more, 0 drops none
    #[arg(
        long,
        alias = "flow_threshold",
        default_value_t = 0.4,
        value_name = "ERROR",
        allow_negative_numbers = true
    )]
    pub flow_threshold: f64,
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
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Folder for the outputs, created if missing [default: beside each image]
    #[arg(short = 'o', long = "output", alias = "savedir", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Format of the label image NAME_masks
    #[arg(long, value_enum, default_value_t = Format::Tif, value_name = "FORMAT")]
    pub format: Format,
    /// Also write NAME_overlay.png, the image with the outlines of the cells
    #[arg(long)]
    pub overlay: bool,
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
    /// [segment], [styles] and [evaluate] are for one command
    #[arg(long = "config", id = "config", value_name = "FILE")]
    pub _file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Evaluate {
    /// Folder of the true label images: TIFF, PNG, NPY, or _seg.npy of Cellpose
    #[arg(long, value_name = "DIR")]
    pub truth: PathBuf,
    /// Folder of predicted label images; give the option once for each method
    #[arg(long, required = true, value_name = "DIR")]
    pub pred: Vec<PathBuf>,
    /// Use only true label images whose name, without the extension, ends in SUFFIX
    #[arg(long, alias = "truth_suffix", value_name = "SUFFIX", value_parser = utf8())]
    pub truth_suffix: Option<String>,
    /// Use only predicted label images whose name, without the extension, ends in SUFFIX
    #[arg(long, alias = "pred_suffix", value_name = "SUFFIX", value_parser = utf8())]
    pub pred_suffix: Option<String>,
    /// Compare stacks as volumes, in which a cell has one label in all planes. Left out, each plane is an image
    #[arg(long)]
    pub volumes: bool,
    /// Folder of the images, for the gallery [default: the folder of the truth]
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// Folder, created if missing, for evaluate.csv (one row for each image and method), evaluate.json, the plot
    /// (ap.svg, ap.png) and the gallery of images with outlines (gallery.html, gallery_METHOD.png)
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Replace any file; left out, only outputs of flowmask are replaced
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Args)]
pub struct Convert {
    /// The model: a PyTorch or safetensors file, or a name as for --model
    #[arg(value_name = "IN", value_parser = utf8())]
    pub input: String,
    /// The file to write: .safetensors, or .pth for Cellpose
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Store the weights in half precision
    #[arg(long)]
    pub half: bool,
    /// The size model (size_*.npy) to put into the file, for --diameter auto
    #[arg(long, value_name = "FILE")]
    pub size: Option<PathBuf>,
    /// Replace OUT, and a size model beside it; left out, no file is replaced
    #[arg(long)]
    pub overwrite: bool,
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

/// Reads a number of pixels or `auto`; 0 means `auto`, as in cellpose.
fn diameter(text: &str) -> Result<Diameter, String> {
    match text.parse::<f64>() {
        _ if text == "auto" => Ok(Diameter::Auto),
        Ok(0.0) => Ok(Diameter::Auto),
        Ok(pixels) if pixels.is_finite() && pixels > 0.0 => Ok(Diameter::Pixels(pixels)),
        _ => Err("must be a positive number of pixels, or `auto`".into()),
    }
}

/// Reads a number of bytes: a number, and a unit of powers of 1000 (kB, MB, GB, TB) or of 1024 (KiB, MiB, GiB, TiB).
fn memory(text: &str) -> Result<u64, String> {
    let units = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text[..text.len() - units.len()].parse::<f64>();
    let unit = match units.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024f64.powi(2),
        "gib" => 1024f64.powi(3),
        "tib" => 1024f64.powi(4),
        _ => 0.0,
    };
    match number {
        Ok(number) if number.is_finite() && number * unit >= 1.0 => Ok((number * unit) as u64),
        _ => Err("must be a number of bytes, such as 4GB, 500MB or 2GiB".into()),
    }
}

fn perplexity(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && n >= 1.0 => Ok(n),
        _ => Err("must be a number of at least 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_accepted_with_underscores() {
        let command = Cli::command();
        let segment = command.find_subcommand("segment").unwrap();
        let longs: Vec<_> = segment.get_arguments().filter_map(|a| Some((a.get_long()?, a))).collect();
        assert!(longs.len() > 20);
        for (long, arg) in longs.into_iter().filter(|(long, _)| long.contains('-')) {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            assert!(aliases.contains(&long.replace('-', "_").as_str()), "--{long} has {aliases:?}");
        }
    }

    #[test]
    fn memory_is_a_number_with_a_unit() {
        let sizes = ["4GB", "500mb", "2GiB", "1.5 T", "1024", "12kB"].map(|text| memory(text).unwrap());
        assert_eq!(sizes, [4_000_000_000, 500_000_000, 2 << 30, 1_500_000_000_000, 1024, 12_000]);
        for wrong in ["", "GB", "-4GB", "0", "4 parsecs", "4GBGB", "1.2.3GB", "nan", "inf"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_diameter_is_a_number_or_auto() {
        assert_eq!(diameter("19.5"), Ok(Diameter::Pixels(19.5)));
        assert_eq!(diameter("auto"), Ok(Diameter::Auto));
        assert_eq!(diameter("0"), Ok(Diameter::Auto));
        for wrong in ["-1", "nan", "inf", "", "large"] {
            assert!(diameter(wrong).is_err(), "{wrong}");
        }
    }
}
