//! The files that the original writes of an image, with its rules of which are written when (`__main__.py` and
//! `io.save_masks` of 3.1.1).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::super::args::Wanted;
use super::super::outputs::Names;
use super::args::Files;

/// How the original names its files.
#[derive(Clone, Debug)]
pub struct Original {
    files: Files,
    /// The folder of `--dir`, if images are from there.
    dir: Option<PathBuf>,
}

impl Original {
    pub fn new(files: &Files, dir: Option<&Path>) -> Self {
        Original { files: files.clone(), dir: dir.map(Path::to_path_buf) }
    }

    /// The kinds of output that may be written.
    pub fn wanted(&self) -> Vec<Wanted> {
        self.files_of(Path::new("image")).into_iter().map(|(kind, _)| kind).collect()
    }

    /// Label files, flows or text: without them, pictures of outlines are not written either.
    fn saves(&self) -> bool {
        let files = &self.files;
        files.save_png || files.save_tif || files.save_flows || files.save_txt
    }

    /// What label files have after the name of the image.
    fn suffix(&self) -> &str {
        let Some(name) = self.files.output_name.as_deref() else { return "_cp_masks" };
        let taken = match &self.files.savedir {
            None => !name.is_empty(),
            Some(folder) => {
                let same = |dir: &PathBuf| dir.canonicalize().ok() == folder.canonicalize().ok();
                !self.dir.as_ref().is_some_and(same)
            }
        };
        if taken { name } else { "_cp_masks" }
    }

    /// All files of an image.
    pub fn files_of(&self, image: &Path) -> Vec<(Wanted, PathBuf)> {
        let (files, suffix) = (&self.files, self.suffix());
        let mut all = Vec::new();
        if !files.no_npy {
            all.push((Wanted::Seg, named(image, None, "_seg.npy")));
        }
        if files.save_rois {
            all.push((Wanted::Rois, named(image, None, "_rois.zip")));
        }
        let mut add = |wanted: bool, kind, folder, ending: String| {
            if wanted && self.saves() {
                all.push((kind, named(image, Some(&self.folder(image, folder)), &ending)));
            }
        };
        add(files.save_png, Wanted::Masks, "masks", format!("{suffix}.png"));
        add(files.save_tif, Wanted::Masks, "masks", format!("{suffix}.tif"));
        add(files.save_txt, Wanted::Outlines, "txt_outlines", "_cp_outlines.txt".into());
        add(files.save_outlines, Wanted::Outlined, "outlines", format!("_outlines{suffix}.png"));
        add(files.save_flows, Wanted::FlowColors, "flows", format!("_flows{suffix}.tif"));
        add(files.save_flows, Wanted::FlowMaps, "flows", format!("_dP{suffix}.tif"));
        all
    }

    fn folder(&self, image: &Path, folder: &str) -> PathBuf {
        let beside = image.parent().unwrap_or(Path::new(""));
        let mut all = match &self.files.savedir {
            Some(dir) => dir.clone(),
            None if self.files.dir_above => beside.join(".."),
            None => beside.into(),
        };
        if self.files.in_folders {
            all.push(folder);
        }
        all
    }

    /// Refuses so many planes, before they are segmented.
    pub fn check(&self, planes: usize) -> anyhow::Result<()> {
        if planes > 1 && self.saves() && !self.files.save_tif {
            bail!("stacks cannot be saved as PNG: write --save_tif");
        }
        Ok(())
    }

    /// Those of the files that are written of so many planes and cells. Also tells what is written in the place of another.
    pub fn kept(&self, names: &Names, planes: usize, cells: usize) -> (Names, Option<String>) {
        let is_tif = |path: &Path| path.extension().is_some_and(|extension| extension == "tif");
        let (mut kept, mut note) = (Names::default(), None);
        for (kind, path) in names.iter() {
            match kind {
                Wanted::Seg | Wanted::Rois => kept.add(kind, path.into()),
                Wanted::Masks if is_tif(path) => kept.add(kind, path.into()),
                // Without cells there is nothing to draw, and of stacks there are no pictures.
                _ if cells == 0 || planes > 1 => {}
                Wanted::Masks if cells > usize::from(u16::MAX) => {
                    note = Some(format!("a PNG holds 65535 labels, not {cells}: wrote a TIFF"));
                    if !self.files.save_tif {
                        kept.add(kind, path.with_extension("tif"));
                    }
                }
                _ => kept.add(kind, path.into()),
            }
        }
        (kept, note)
    }
}

/// The name of the image without its extension and with `ending`, beside it or in a folder.
fn named(image: &Path, folder: Option<&Path>, ending: &str) -> PathBuf {
    let mut name = OsString::from(image.file_stem().unwrap_or_default());
    name.push(ending);
    match folder {
        Some(folder) => folder.join(name),
        None => image.with_file_name(name),
    }
}
