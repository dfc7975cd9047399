//! Names the output files of each image, and sees to it that none overwrites an input, another image's output or a file
//! that flowmask did not write.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::bail;
use flowmask::output::Destination;

use super::args;

/// The output files of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    pub masks: PathBuf,
    /// One for each plane; empty without `--overlay`.
    pub overlays: Vec<PathBuf>,
}

/// Names output files, and remembers which image each of them belongs to.
pub struct Outputs {
    /// The output folder; `None` puts outputs beside each image.
    dir: Option<PathBuf>,
    extension: &'static str,
    /// What a label file has after the name of its image.
    suffix: &'static str,
    overlay: bool,
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
        Outputs { overlay: args.overlay, ..outputs }
    }

    /// Stitched label files.
    pub fn stitched(args: &args::Stitch, inputs: &[PathBuf]) -> Self {
        let extension = args.format.of_library().extension();
        Outputs { suffix: "_stitched", ..Self::of(args.dir.as_deref(), extension, args.overwrite, inputs) }
    }

    /// Outputs of one kind, in this folder or beside each image.
    pub fn of(dir: Option<&Path>, extension: &'static str, overwrite: bool, inputs: &[PathBuf]) -> Self {
        let inputs = inputs.iter().filter_map(|input| input.canonicalize().ok()).collect();
        let (below, taken) = Default::default();
        Outputs {
            dir: dir.map(Path::to_path_buf),
            extension,
            suffix: "_masks",
            overlay: false,
            overwrite,
            below,
            inputs,
            taken,
        }
    }

    /// The same, with the outputs of these images in folders below the output folder.
    pub fn below(mut self, below: HashMap<PathBuf, PathBuf>) -> Self {
        self.below = below;
        self
    }

    /// The label file of `input`. From now on no other image can have it.
    pub fn masks(&mut self, input: &Path) -> anyhow::Result<PathBuf> {
        self.claim(input, &self.masks_ending())
    }

    /// The file of the restored `input`. From now on no other image can have it.
    pub fn restored(&mut self, input: &Path) -> anyhow::Result<PathBuf> {
        self.claim(input, &format!("_restored.{}", self.extension))
    }

    fn masks_ending(&self) -> String {
        format!("{}.{}", self.suffix, self.extension)
    }

    /// The overlay files of `input`, one for each plane; empty without `--overlay`.
    pub fn overlays(&mut self, input: &Path, planes: usize) -> anyhow::Result<Vec<PathBuf>> {
        self.overlay_endings(planes).iter().map(|ending| self.claim(input, ending)).collect()
    }

    fn overlay_endings(&self, planes: usize) -> Vec<String> {
        let ending = |plane| match planes {
            1 => "_overlay.png".to_string(),
            _ => format!("_plane{plane}_overlay.png"),
        };
        (0..if self.overlay { planes } else { 0 }).map(ending).collect()
    }

    /// The label file of `input`, if all its outputs are there. The file tells how many overlays there have to be.
    pub fn existing(&self, input: &Path) -> Option<PathBuf> {
        let masks = self.beside(input, &self.masks_ending());
        let planes = || flowmask::image::read(&masks).map_or(0, |stack| stack.planes.len());
        let overlays = || match planes() {
            0 => false,
            planes => self.overlay_endings(planes).iter().all(|ending| self.beside(input, ending).is_file()),
        };
        (masks.is_file() && (!self.overlay || overlays())).then_some(masks)
    }

    /// Where an output is written, and what it may replace.
    pub fn destination(&self, output: &Path) -> Destination {
        Destination::new(output).overwrite(self.overwrite)
    }

    fn claim(&mut self, input: &Path, ending: &str) -> anyhow::Result<PathBuf> {
        let output = self.beside(input, ending);
        self.check(input, &output)?;
        self.destination(&output).check()?;
        Ok(output)
    }

    /// The name of the image without its extension and with `ending`, in the output folder.
    fn beside(&self, input: &Path, ending: &str) -> PathBuf {
        let dir = match &self.dir {
            Some(dir) => self.below.get(input).map_or(dir.clone(), |below| dir.join(below)),
            None => input.parent().unwrap_or(Path::new("")).into(),
        };
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
        let mut beside = outputs(&["--overlay"], &[]);
        let input = Path::new("scans/im.ome.tif");
        assert_eq!(beside.masks(input).unwrap(), Path::new("scans/im.ome_masks.tif"));
        assert_eq!(beside.overlays(input, 1).unwrap(), [Path::new("scans/im.ome_overlay.png")]);
        let mut folder = outputs(&["--overlay", "-o", "out", "--format", "npy"], &[]);
        let input = Path::new("scans/im.tif");
        assert_eq!(folder.masks(input).unwrap(), Path::new("out/im_masks.npy"));
        let overlays = ["out/im_plane0_overlay.png", "out/im_plane1_overlay.png"];
        assert_eq!(folder.overlays(input, 2).unwrap(), overlays.map(PathBuf::from));
    }

    #[test]
    fn a_second_image_may_not_take_an_output() {
        let mut outputs = outputs(&[], &[]);
        outputs.masks(Path::new("a.png")).unwrap();
        let error = outputs.masks(Path::new("./a.tif")).unwrap_err().to_string();
        assert!(error.contains("a_masks.tif") && error.contains("a.png"), "{error}");
        outputs.masks(Path::new("b.png")).unwrap();
    }

    #[test]
    fn an_input_is_never_an_output() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = ["a.png", "a_masks.png"].map(|name| dir.path().join(name));
        inputs.iter().for_each(|input| std::fs::write(input, "").unwrap());
        let dir = dir.path().join(".");
        let mut outputs = outputs(&["--format", "png", "-o", dir.to_str().unwrap()], &inputs);
        let error = outputs.masks(&inputs[0]).unwrap_err().to_string();
        assert!(error.contains("a_masks.png"), "{error}");
    }
}
