//! The arguments and their help texts. Names and defaults are those of cellpose 3.1.1; its spelling with underscores is
//! accepted too.

mod groups;
mod labels;
mod measure;
mod outputs;
mod restoration;
mod steps;
mod values;
mod volumes;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::usage::utf8;
pub use groups::*;
pub use labels::{Export, Labels, Pictured};
pub use measure::Measure;
pub use outputs::{Many, Output, Places, Wanted};
pub use restoration::{Chan2, Restoration, Restore};
pub use steps::{Steps, Together};
pub use volumes::Volumes;

const EXAMPLES: &str = "Examples:
  flowmask segment cells.tif                      writes cells_masks.tif beside it
  flowmask segment scans -o results --overlay     segments every image of the folder
  flowmask segment 'scans/*_dapi.png' --model nuclei --diameter 20
  flowmask segment stack.tif --do-3d --anisotropy 2

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

const STITCH: &str = "\
A label file of planes that were segmented one by one becomes NAME_stitched.tif, in which a cell has one label in all \
planes. Planes along Z are stitched; each time point is a volume of its own. Where a file does not say which axis is Z, \
--axes or --z-axis does.

Of a folder or a pattern, the TIFF and NPY files are taken whose names end in _masks, _labels or the like, or all if there \
are none; those that end in _stitched are left out.

Examples:
  flowmask stitch stack_masks.tif --stitch-threshold 0.4
  flowmask stitch results -o volumes
  flowmask stitch masks.npy --axes ZYX

Exit codes: 0 all files are done, 1 some failed, 2 nothing could be started.";

const CELLPOSE: &str = "\
Masks are those of cellpose 3.1.1, with its bugs (`flowmask segment --compat 3.1.1`). Files that are there are replaced, as by \
cellpose. `flowmask segment` has more options and outputs.

Example:
  flowmask cellpose --dir scans --pretrained_model cyto3 --diameter 0 --save_tif --save_rois

Exit codes: 0 all images are done, 1 some images failed, 2 nothing could be started.";

const EXPORT: &str = "\
Writes of label files what `flowmask segment --outputs` writes of images: NAME_overlay.png and so on, where NAME is that of \
the label file without _masks, _labels or the like.

Examples:
  flowmask export results --outputs seg --images scans

Exit codes: 0 all files are done, 1 some failed, 2 nothing could be started.";

const RESTORE: &str = "\
Writes NAME_restored.tif, with 32-bit floats: the channels that --chan and --chan2 choose, of each plane. Images keep their \
size; networks whose names begin with upsample_ enlarge them. `flowmask segment --restore MODEL` restores and segments.

Example:
  flowmask restore scans -o restored --model denoise_cyto3 --diameter 25

Exit codes: 0 all images are done, 1 some images failed, 2 nothing could be started.";

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
    Segment(Box<Segment>),
    /// Remove noise or blur from images, or enlarge them, with a network of Cellpose 3
    #[command(after_help = RESTORE)]
    Restore(Restore),
    /// Join the masks of neighbouring planes in label files to cells of a volume
    #[command(after_help = STITCH)]
    Stitch(Stitch),
    /// Write ROIs, polygons, outlines or overlays of label files
    #[command(after_help = EXPORT)]
    Export(Export),
    /// Write a table of the cells of label files: their areas, places, shapes and intensities
    #[command(after_help = measure::HELP)]
    Measure(Measure),
    /// Take the command line of `python -m cellpose` 3.1.1, and write the files that it writes
    #[command(after_help = CELLPOSE)]
    Cellpose(Box<super::cellpose::Cellpose>),
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
    pub volumes: Volumes,
    #[command(flatten)]
    pub restoration: Restoration,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub many: Many,
    #[command(flatten)]
    pub speed: Speed,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Args)]
pub struct Stitch {
    #[command(flatten)]
    pub labels: Labels,
    /// Join masks of neighbouring planes whose IoU is at least this, from 0 to 1
    #[arg(
        long,
        alias = "stitch_threshold",
        default_value_t = 0.25,
        value_name = "IOU",
        allow_negative_numbers = true
    )]
    pub stitch_threshold: f64,
    /// Drop cells with fewer pixels than this in all planes together, and number the others anew; 0 or -1 drops none
    #[arg(
        long,
        alias = "min_size",
        default_value_t = 0,
        value_name = "PIXELS",
        allow_negative_numbers = true
    )]
    pub min_size: i64,
    /// Folder for the outputs, created if missing [default: beside each file]
    #[arg(short = 'o', long = "output", alias = "savedir", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = StackFormat::Tif, value_name = "FORMAT")]
    pub format: StackFormat,
    /// Number the labels as this version of Cellpose does: after an empty plane they may begin anew
    #[arg(long, value_enum, value_name = "VERSION")]
    pub compat: Option<Compat>,
    /// Replace any file; left out, only files that say that flowmask wrote them (NPY cannot) are replaced
    #[arg(long)]
    pub overwrite: bool,
    /// Print one line of JSON for each file
    #[arg(long)]
    pub json: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
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
}
