//! The names of outputs.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::args::Wanted;

/// The output files of one image, and what each holds. Of those with a file for each plane, they are in the order of the
/// planes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names(Vec<(Wanted, PathBuf)>);

impl Names {
    pub fn add(&mut self, wanted: Wanted, path: PathBuf) {
        self.0.push((wanted, path));
    }

    pub fn iter(&self) -> impl Iterator<Item = (Wanted, &Path)> {
        self.0.iter().map(|(kind, path)| (*kind, path.as_path()))
    }

    /// The kinds of output, each once.
    pub fn kinds(&self) -> Vec<Wanted> {
        let mut kinds: Vec<_> = self.0.iter().map(|(kind, _)| *kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// The files of a kind.
    pub fn of(&self, wanted: Wanted) -> impl Iterator<Item = &Path> {
        self.0.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, path)| path.as_path())
    }

    pub fn masks(&self) -> Option<&Path> {
        self.of(Wanted::Masks).next()
    }

    /// The label file or, without one, the first output.
    pub fn first(&self) -> &Path {
        self.masks().or(self.0.first().map(|(_, path)| path.as_path())).unwrap_or(Path::new(""))
    }

    pub fn all_are_there(&self) -> bool {
        self.0.iter().all(|(_, path)| path.is_file())
    }
}

impl Wanted {
    /// What follows the name of the image, of the file that has all planes.
    pub fn of_all(self, suffix: &str, extension: &str) -> Option<String> {
        // A PNG holds no floats.
        let maps = if extension == "npy" { "npy" } else { "tif" };
        match self {
            Wanted::Masks => Some(format!("{suffix}.{extension}")),
            Wanted::Flows => Some(format!("_flows.{maps}")),
            Wanted::Prob => Some(format!("_cellprob.{maps}")),
            Wanted::Seg => Some("_seg.npy".into()),
            Wanted::Rois => Some("_rois.zip".into()),
            Wanted::Geojson => Some("_cells.geojson".into()),
            Wanted::Csv => Some("_cells.csv".into()),
            #[cfg(feature = "parquet")]
            Wanted::Parquet => Some("_cells.parquet".into()),
            _ => None,
        }
    }

    /// What follows the name of the image, of the files that each plane has.
    pub fn of_plane(self) -> Option<&'static str> {
        match self {
            Wanted::Overlay => Some("_overlay.png"),
            Wanted::Flows => Some("_flows.png"),
            Wanted::Outlines => Some("_outlines.txt"),
            _ => None,
        }
    }

    /// Whether it is a table of the cells.
    pub fn is_table(self) -> bool {
        match self {
            Wanted::Csv => true,
            #[cfg(feature = "parquet")]
            Wanted::Parquet => true,
            _ => false,
        }
    }

    /// Whether cells are measured for it.
    pub fn is_measured(self) -> bool {
        self == Wanted::Geojson || self.is_table()
    }

    /// Whether it has the maps of the network.
    pub fn is_of_maps(self) -> bool {
        self.is_of_flows() || self == Wanted::Prob
    }

    /// Whether it has the flows.
    pub fn is_of_flows(self) -> bool {
        matches!(self, Wanted::Flows | Wanted::FlowColors | Wanted::FlowMaps | Wanted::Seg)
    }

    /// Whether it shows or measures the pixels of the image.
    pub fn is_of_pixels(self) -> bool {
        matches!(self, Wanted::Overlay | Wanted::Outlined) || self.is_measured()
    }

    /// As the user writes it.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }

    /// The folder with `--in-folders`. The first three are the original's.
    pub fn folder(self) -> &'static str {
        match self {
            Wanted::Masks => "masks",
            Wanted::Overlay | Wanted::Outlined => "outlines",
            Wanted::Outlines => "txt_outlines",
            Wanted::Flows | Wanted::FlowColors | Wanted::FlowMaps | Wanted::Prob => "flows",
            Wanted::Rois | Wanted::Geojson => "rois",
            Wanted::Csv => "tables",
            #[cfg(feature = "parquet")]
            Wanted::Parquet => "tables",
            Wanted::Seg => "seg",
        }
    }
}
