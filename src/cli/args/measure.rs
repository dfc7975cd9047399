//! The arguments of `flowmask measure`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Export, Format, Output, Pictured, Places, Wanted};

pub const HELP: &str = "\
Writes NAME_cells.csv, with a row for each cell, where NAME is that of the label file without _masks, _labels or the like. \
Columns have the names and definitions of regionprops_table of scikit-image. Lengths are in pixels; where the label file or \
the image says how large a pixel is, columns in µm are added.

Each plane of a stack is an image of its own, as `flowmask segment` numbers its cells; columns such as t and z tell which. \
With --volumes, the planes along Z are one image.

Examples:
  flowmask measure results --images scans
  flowmask measure stack_masks.tif --volumes --format parquet

Exit codes: 0 all files are done, 1 some failed, 2 nothing could be started.";

#[derive(Args)]
pub struct Measure {
    #[command(flatten)]
    pub pictured: Pictured,
    /// Folder for the tables, created if missing [default: beside each label file]
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Format of the tables
    #[arg(long, value_enum, default_value_t = TableFormat::Csv, value_name = "FORMAT")]
    pub format: TableFormat,
    /// Replace any file; left out, only files that say that flowmask wrote them are replaced
    #[arg(long)]
    pub overwrite: bool,
    /// Print one line of JSON for each file
    #[arg(long)]
    pub json: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
}

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Comma-separated values
    Csv,
    /// Apache Parquet
    #[cfg(feature = "parquet")]
    Parquet,
}

impl TableFormat {
    fn wanted(self) -> Wanted {
        match self {
            TableFormat::Csv => Wanted::Csv,
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => Wanted::Parquet,
        }
    }
}

impl Measure {
    /// The same as an export of tables.
    pub fn export(&self) -> Export {
        let output = Output {
            dir: self.dir.clone(),
            outputs: vec![self.format.wanted()],
            format: Format::Tif,
            overlay: false,
            overlay_scale: 1,
            places: Places::default(),
            overwrite: self.overwrite,
            skip_existing: false,
            json: self.json,
            verbose: false,
            quiet: self.quiet,
        };
        Export { pictured: self.pictured.clone(), output }
    }
}
