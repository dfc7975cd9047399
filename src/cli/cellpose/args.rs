//! The command line of `python -m cellpose` 3.1.1, in the order of its `cli.py`.

use std::path::PathBuf;

use clap::Args;

/// Flags that have a value are taken with their text, which `flowmask segment` checks.
#[derive(Args)]
#[command(disable_version_flag = true)]
pub struct Cellpose {
    /// Print the versions
    #[arg(long)]
    pub version: bool,
    /// Print what is done
    #[arg(long)]
    pub verbose: bool,
    #[arg(long = "Zstack", help = "Has no effect: flowmask has no windows")]
    pub zstack: bool,

    /// Run on an NVIDIA GPU, or on the processor if there is none
    #[arg(long = "use_gpu", help_heading = "Hardware")]
    pub use_gpu: bool,
    /// The number of the GPU
    #[arg(long = "gpu_device", default_value = "0", value_name = "N", help_heading = "Hardware")]
    pub gpu_device: String,
    /// Has no effect: flowmask does not use MKL
    #[arg(long = "check_mkl", help_heading = "Hardware")]
    pub check_mkl: bool,

    /// Folder of images
    #[arg(long, value_name = "DIR", help_heading = "Input")]
    pub dir: Option<PathBuf>,
    /// One image
    #[arg(long = "image_path", value_name = "FILE", help_heading = "Input")]
    pub image_path: Option<PathBuf>,
    /// Also take the images in the folders of the folder
    #[arg(long = "look_one_level_down", help_heading = "Input")]
    pub look_one_level_down: bool,
    /// Use only images whose names end in TEXT
    #[arg(long = "img_filter", value_name = "TEXT", help_heading = "Input")]
    pub img_filter: Option<String>,
    /// Axis of the channels
    #[arg(long = "channel_axis", value_name = "N", allow_negative_numbers = true, help_heading = "Input")]
    pub channel_axis: Option<String>,
    /// Axis of the depth
    #[arg(long = "z_axis", value_name = "N", allow_negative_numbers = true, help_heading = "Input")]
    pub z_axis: Option<String>,
    /// Channel of the cells: 0 grey, 1 red, 2 green, 3 blue
    #[arg(long, default_value = "0", value_name = "N", help_heading = "Input")]
    pub chan: String,
    /// Channel of the nuclei: 0 none, 1 red, 2 green, 3 blue
    #[arg(long, default_value = "0", value_name = "N", help_heading = "Input")]
    pub chan2: String,
    /// The cells are dark on a bright background
    #[arg(long, help_heading = "Input")]
    pub invert: bool,
    /// Give the network the channels of the image as they are
    #[arg(long = "all_channels", help_heading = "Input")]
    pub all_channels: bool,

    /// A model of Cellpose by its name, such as cyto3 (downloaded by `flowmask models pull` or Cellpose), or a file
    #[arg(long = "pretrained_model", default_value = "cyto3", value_name = "MODEL", help_heading = "Model")]
    pub pretrained_model: String,
    /// Restore images with this network first
    #[arg(long = "restore_type", value_name = "MODEL", help_heading = "Model")]
    pub restore_type: Option<String>,
    /// Has no effect, as in Cellpose 3.1.1; `flowmask segment` has one that has
    #[arg(long = "chan2_restore", help_heading = "Model")]
    pub chan2_restore: bool,
    /// Is refused: models need not be added
    #[arg(long = "add_model", value_name = "FILE", help_heading = "Model")]
    pub add_model: Option<PathBuf>,
    /// Is refused: only the U-Nets are supported
    #[arg(long, help_heading = "Model")]
    pub transformer: bool,
    /// The model of the planes across y and x of volumes
    #[arg(long = "pretrained_model_ortho", value_name = "MODEL", help_heading = "Model")]
    pub pretrained_model_ortho: Option<String>,

    /// Follow the flows at the size of the network's input
    #[arg(long = "no_resample", help_heading = "Algorithm")]
    pub no_resample: bool,
    /// Do not interpolate flows
    #[arg(long = "no_interp", help_heading = "Algorithm")]
    pub no_interp: bool,
    /// Do not scale the intensities
    #[arg(long = "no_norm", help_heading = "Algorithm")]
    pub no_norm: bool,
    /// Percentiles that become 0 and 1
    #[arg(long = "norm_percentile", num_args = 2, value_names = ["LOW", "HIGH"], help_heading = "Algorithm")]
    pub norm_percentile: Option<Vec<String>>,
    /// Find cells in three dimensions
    #[arg(long = "do_3D", help_heading = "Algorithm")]
    pub do_3d: bool,
    /// Diameter of the cells in pixels; 0 estimates it with a built-in model of Cellpose, and else takes that of the training
    #[arg(
        long,
        default_value = "30",
        value_name = "PIXELS",
        allow_negative_numbers = true,
        help_heading = "Algorithm"
    )]
    pub diameter: String,
    /// Join the masks of neighbouring planes
    #[arg(long = "stitch_threshold", default_value = "0", value_name = "IOU", help_heading = "Algorithm")]
    pub stitch_threshold: String,
    /// Drop smaller masks; -1 drops none
    #[arg(
        long = "min_size",
        default_value = "15",
        value_name = "PIXELS",
        allow_negative_numbers = true,
        help_heading = "Algorithm"
    )]
    pub min_size: String,
    /// Smooth the flows of volumes
    #[arg(long = "flow3D_smooth", default_value = "0", value_name = "SIGMA", help_heading = "Algorithm")]
    pub flow3d_smooth: String,
    /// Drop masks whose flows do not fit; 0 drops none. Has no effect with --do_3D
    #[arg(
        long = "flow_threshold",
        default_value = "0.4",
        value_name = "ERROR",
        allow_negative_numbers = true,
        help_heading = "Algorithm"
    )]
    pub flow_threshold: String,
    /// Pixels with a higher value belong to cells
    #[arg(
        long = "cellprob_threshold",
        default_value = "0",
        value_name = "LOGIT",
        allow_negative_numbers = true,
        help_heading = "Algorithm"
    )]
    pub cellprob_threshold: String,
    /// Steps along the flows; 0 chooses by the diameter
    #[arg(long, default_value = "0", value_name = "STEPS", help_heading = "Algorithm")]
    pub niter: String,
    /// How many times farther apart planes are than pixels
    #[arg(long, default_value = "1", value_name = "FACTOR", help_heading = "Algorithm")]
    pub anisotropy: String,
    /// Drop masks at the border of the image
    #[arg(long = "exclude_on_edges", help_heading = "Algorithm")]
    pub exclude_on_edges: bool,
    /// Average the network over flipped tiles
    #[arg(long, help_heading = "Algorithm")]
    pub augment: bool,

    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub training: Training,
}

/// Which files are written, and where.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Files {
    /// Write NAME_cp_masks.png
    #[arg(long = "save_png")]
    pub save_png: bool,
    /// Write NAME_cp_masks.tif
    #[arg(long = "save_tif")]
    pub save_tif: bool,
    /// What stands in the place of _cp_masks
    #[arg(long = "output_name", value_name = "TEXT")]
    pub output_name: Option<String>,
    /// Do not write NAME_seg.npy
    #[arg(long = "no_npy")]
    pub no_npy: bool,
    /// Folder for the outputs, which must be there; NAME_seg.npy and NAME_rois.zip stay beside the image
    #[arg(long, value_name = "DIR")]
    pub savedir: Option<PathBuf>,
    /// Write into the folder above that of the image
    #[arg(long = "dir_above")]
    pub dir_above: bool,
    /// Sort the outputs into the folders masks, outlines, txt_outlines and flows
    #[arg(long = "in_folders")]
    pub in_folders: bool,
    /// Write the flows as colours and as they are
    #[arg(long = "save_flows")]
    pub save_flows: bool,
    /// Write the image with red outlines, if label files, flows or outlines as text are written too
    #[arg(long = "save_outlines")]
    pub save_outlines: bool,
    /// Write NAME_rois.zip for ImageJ
    #[arg(long = "save_rois")]
    pub save_rois: bool,
    /// Write outlines as text
    #[arg(long = "save_txt")]
    pub save_txt: bool,
    /// Has no effect: there is no figure of all steps
    #[arg(long = "save_mpl")]
    pub save_mpl: bool,
}

/// Of the flags of training, `flowmask cellpose` has these, which segmenting takes too or that files are left out by.
#[derive(Args)]
#[command(next_help_heading = "Training")]
pub struct Training {
    /// Is refused: training is not there yet
    #[arg(long)]
    pub train: bool,
    /// Is refused: training is not there yet
    #[arg(long = "train_size")]
    pub train_size: bool,
    /// Of a folder, leave out images whose names end in TEXT
    #[arg(long = "mask_filter", default_value = "_masks", value_name = "TEXT")]
    pub mask_filter: String,
    /// Tiles that go through the network together; the result is the same
    #[arg(long = "batch_size", default_value = "8", value_name = "N")]
    pub batch_size: String,
    #[arg(
        long = "test_dir",
        aliases = ["file_list", "diam_mean", "learning_rate", "weight_decay", "n_epochs", "nimg_per_epoch",
            "nimg_test_per_epoch", "min_train_masks", "SGD", "save_every", "model_name_out"],
        value_name = "VALUE",
        help = "Has no effect without --train, as have --file_list, --diam_mean, --learning_rate, --weight_decay, --n_epochs, \
                --nimg_per_epoch, --nimg_test_per_epoch, --min_train_masks, --SGD, --save_every, --model_name_out"
    )]
    pub of_training: Vec<String>,
}
