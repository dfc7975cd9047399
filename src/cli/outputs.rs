//! Names the output files of each image, and sees to it that none overwrites an input, another image's output or a file
//! that flowmask did not write.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use flowmask::output::Destination;

mod names;

use super::args::{self, Places, Wanted};
use super::cellpose::Original;
pub use names::Names;

/// Names output files, and remembers which image each of them belongs to.
pub struct Outputs {
    /// The output folder; `None` puts outputs beside each image.
    dir: Option<PathBuf>,
    extension: &'static str,
    places: Places,
    wanted: Vec<Wanted>,
    /// The names that the original gives, in place of these.
    original: Option<Original>,
    /// The folder of an image below the one that the user named; outputs lie there below the output folder.
    below: HashMap<PathBuf, PathBuf>,
    overwrite: bool,
    inputs: HashSet<PathBuf>,
    taken: HashMap<PathBuf, PathBuf>,
}

impl Outputs {
    pub fn new(args: &args::Output, inputs: &[PathBuf]) -> Self {
        let (_, extension) = args.format.of_library();
        let outputs = Self::of(args.dir.as_deref(), extension, args.overwrite, inputs);
        Outputs { wanted: args.wanted(), places: args.places.clone(), ..outputs }
    }

    /// Stitched label files.
    pub fn stitched(args: &args::Stitch, inputs: &[PathBuf]) -> Self {
        let extension = args.format.of_library().extension();
        Outputs {
            wanted: vec![Wanted::Masks],
            places: Places { suffix: "_stitched".into(), ..Default::default() },
            ..Self::of(args.dir.as_deref(), extension, args.overwrite, inputs)
        }
    }

    /// Outputs in this folder or beside each image.
    pub fn of(dir: Option<&Path>, extension: &'static str, overwrite: bool, inputs: &[PathBuf]) -> Self {
        let inputs = inputs.iter().filter_map(|input| input.canonicalize().ok()).collect();
        let (below, taken, places, wanted, original) = Default::default();
        let dir = dir.map(Path::to_path_buf);
        Outputs { dir, extension, places, wanted, original, overwrite, below, inputs, taken }
    }

    /// With the names that the original gives.
    pub fn named_by(mut self, original: Option<Original>) -> Self {
        self.original = original;
        self
    }

    /// The same, with the outputs of these images in folders below the output folder.
    pub fn below(mut self, below: HashMap<PathBuf, PathBuf>) -> Self {
        self.below = below;
        self
    }

    /// The files of `input` that have all its planes. From now on no other image can have them.
    pub fn of_all(&mut self, input: &Path) -> anyhow::Result<Names> {
        let mut names = Names::default();
        for (wanted, path) in self.paths_of_all(input) {
            names.add(wanted, self.claim(input, path)?);
        }
        Ok(names)
    }

    /// Adds the files that each of its planes has.
    pub fn of_planes(&mut self, input: &Path, planes: usize, names: &mut Names) -> anyhow::Result<()> {
        for (wanted, path) in self.paths_of_planes(input, planes) {
            names.add(wanted, self.claim(input, path)?);
        }
        Ok(())
    }

    /// The file of the restored `input`. From now on no other image can have it.
    pub fn restored(&mut self, input: &Path) -> anyhow::Result<PathBuf> {
        self.claim(input, self.beside(input, "", &format!("_restored.{}", self.extension)))
    }

    fn paths_of_all(&self, input: &Path) -> Vec<(Wanted, PathBuf)> {
        if let Some(original) = &self.original {
            return original.files_of(input);
        }
        let path = |&wanted: &Wanted| {
            let ending = wanted.of_all(&self.places.suffix, self.extension)?;
            Some((wanted, self.beside(input, wanted.folder(), &ending)))
        };
        self.wanted.iter().filter_map(path).collect()
    }

    fn paths_of_planes(&self, input: &Path, planes: usize) -> Vec<(Wanted, PathBuf)> {
        if self.original.is_some() {
            return Vec::new();
        }
        let path = |&wanted: &Wanted, plane: usize| {
            let ending = match planes {
                1 => wanted.of_plane()?.to_string(),
                _ => format!("_plane{plane}{}", wanted.of_plane()?),
            };
            Some((wanted, self.beside(input, wanted.folder(), &ending)))
        };
        self.wanted
            .iter()
            .flat_map(|wanted| (0..planes).filter_map(move |plane| path(wanted, plane)))
            .collect()
    }

    /// The first output of `input`, if all are there. The label file, or else the image, tells how many planes there are.
    pub fn existing(&self, input: &Path) -> Option<PathBuf> {
        let mut names = Names::default();
        self.paths_of_all(input).into_iter().for_each(|(wanted, path)| names.add(wanted, path));
        if names.all_are_there() && self.wanted.iter().any(|wanted| wanted.of_plane().is_some()) {
            let file = names.masks().unwrap_or(input);
            let planes = flowmask::image::read(file).map_or(0, |stack| stack.planes.len()).max(1);
            self.paths_of_planes(input, planes)
                .into_iter()
                .for_each(|(wanted, path)| names.add(wanted, path));
        }
        names.all_are_there().then(|| names.first().to_path_buf())
    }

    /// Where an output is written, and what it may replace. The folder is made if it is not there.
    pub fn destination(&self, output: &Path) -> anyhow::Result<Destination> {
        if let Some(folder) = output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)
                .map_err(|e| anyhow!("cannot create the folder {}: {e}", folder.display()))?;
        }
        Ok(self.replacing(output))
    }

    fn replacing(&self, output: &Path) -> Destination {
        Destination::new(output).overwrite(self.overwrite)
    }

    fn claim(&mut self, input: &Path, output: PathBuf) -> anyhow::Result<PathBuf> {
        self.check(input, &output)?;
        self.replacing(&output).check()?;
        Ok(output)
    }

    /// The name of the image without its extension and with `ending`, in the output folder.
    fn beside(&self, input: &Path, folder: &str, ending: &str) -> PathBuf {
        let beside = input.parent().unwrap_or(Path::new(""));
        let mut dir = match &self.dir {
            Some(dir) => self.below.get(input).map_or(dir.clone(), |below| dir.join(below)),
            None if self.places.dir_above => above(beside),
            None => beside.into(),
        };
        if self.places.in_folders {
            dir.push(folder);
        }
        let mut name = OsString::from(input.file_stem().unwrap_or_default());
        name.push(ending);
        dir.join(name)
    }

    fn check(&mut self, input: &Path, output: &Path) -> anyhow::Result<()> {
        if output.canonicalize().is_ok_and(|path| self.inputs.contains(&path)) {
            bail!("its output would overwrite {}, which is an input", output.display());
        }
        match self.taken.insert(identity(output), input.into()) {
            Some(other) => {
                bail!(
                    "{} is already the output of {}, so it was not written again",
                    output.display(),
                    other.display()
                )
            }
            None => Ok(()),
        }
    }
}

/// The folder above.
fn above(folder: &Path) -> PathBuf {
    match folder.file_name() {
        Some(_) => folder.parent().unwrap_or(Path::new("")).into(),
        // `.` and `..` and nothing have no name.
        None => folder.join(".."),
    }
}

/// The name of one image of a file that has several, from which those of its outputs are made.
pub fn of_series(input: &Path, number: usize) -> PathBuf {
    let mut name = input.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("_series{number}.tif"));
    input.with_file_name(name)
}

/// One form for all spellings of a path, whether or not the file exists.
fn identity(path: &Path) -> PathBuf {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default();
    // To the usual file systems of Windows and macOS, `A.tif` and `a.tif` are the same file.
    let name = match cfg!(any(windows, target_os = "macos")) {
        true => name.to_string_lossy().to_lowercase().into(),
        false => name.to_os_string(),
    };
    dir.canonicalize().unwrap_or(dir.into()).join(name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn outputs(flags: &[&str], inputs: &[PathBuf]) -> Outputs {
        let words = [&["flowmask", "segment", "input"], flags].concat();
        let args::Command::Segment(args) = args::Cli::parse_from(words).command else {
            panic!("another command")
        };
        Outputs::new(&args.output, inputs)
    }

    #[test]
    fn outputs_go_beside_the_image_or_into_the_folder() {
        let files = |flags: &[&str], input: &str, planes| -> Vec<PathBuf> {
            let mut outputs = outputs(flags, &[]);
            let mut names = outputs.of_all(Path::new(input)).unwrap();
            outputs.of_planes(Path::new(input), planes, &mut names).unwrap();
            names.kinds().into_iter().flat_map(|kind| names.of(kind)).map(PathBuf::from).collect()
        };
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(
            files(&["--overlay"], "scans/im.ome.tif", 1),
            paths(&["scans/im.ome_masks.tif", "scans/im.ome_overlay.png"])
        );
        assert_eq!(
            files(&["--overlay", "-o", "out", "--format", "npy"], "scans/im.tif", 2),
            paths(&["out/im_masks.npy", "out/im_plane0_overlay.png", "out/im_plane1_overlay.png"])
        );
        assert_eq!(
            files(&["--outputs", "seg,prob,flows", "-o", "out", "--format", "png"], "scans/im.tif", 1),
            paths(&["out/im_flows.tif", "out/im_flows.png", "out/im_cellprob.tif", "out/im_seg.npy"])
        );
        assert_eq!(
            files(&["--suffix", "_cp_masks", "--in-folders", "--overlay", "--dir-above"], "a/b/im.tif", 1),
            paths(&["a/masks/im_cp_masks.tif", "a/outlines/im_overlay.png"])
        );
        assert_eq!(files(&["--dir-above"], "im.tif", 1), paths(&["../im_masks.tif"]));
    }

    #[test]
    fn a_second_image_may_not_take_an_output() {
        let mut outputs = outputs(&[], &[]);
        outputs.of_all(Path::new("a.png")).unwrap();
        let error = outputs.of_all(Path::new("./a.tif")).unwrap_err().to_string();
        assert!(error.contains("a_masks.tif") && error.contains("a.png"), "{error}");
        outputs.of_all(Path::new("b.png")).unwrap();
    }

    #[test]
    fn an_input_is_never_an_output() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = ["a.png", "a_masks.png"].map(|name| dir.path().join(name));
        inputs.iter().for_each(|input| std::fs::write(input, "").unwrap());
        let dir = dir.path().join(".");
        let mut outputs = outputs(&["--format", "png", "-o", dir.to_str().unwrap()], &inputs);
        let error = outputs.of_all(&inputs[0]).unwrap_err().to_string();
        assert!(error.contains("a_masks.png"), "{error}");
    }
}
