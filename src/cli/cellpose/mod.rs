//! `flowmask cellpose`: takes the command line of `python -m cellpose` 3.1.1 and writes the files that it writes.

mod args;
mod names;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail, ensure};
use clap::FromArgMatches;
use flowmask::Device;

use super::args::{Cli, Command, Segment};
use super::{inputs, messages, segment};
pub use args::Cellpose;
pub use names::Original;

/// The version whose command line this is.
const VERSION: &str = "3.1.1";

/// Of the files of a folder, the original takes these; it reads others too that flowmask does not read.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

pub fn run(args: &Cellpose) -> anyhow::Result<ExitCode> {
    if args.version {
        return version().map(|()| ExitCode::SUCCESS);
    }
    args.check()?;
    let images = args.images()?;
    args.without_effect().into_iter().for_each(|line| messages::notice(&line));
    let words = args.words(&images)?;
    let segment = parsed(words)?;
    let dir = args.dir.as_deref().filter(|_| args.image_path.is_none());
    segment::run_as(&segment, Some(Original::new(&args.files, dir)))
}

/// Lines from which workflows read the versions.
fn version() -> anyhow::Result<()> {
    let own = env!("CARGO_PKG_VERSION");
    messages::print("")?;
    messages::print(&format!("cellpose version: {VERSION}"))?;
    messages::print(&format!("platform: {}", std::env::consts::OS))?;
    messages::print("python version: none")?;
    messages::print(&format!("torch version: none (flowmask {own})"))
}

/// What `flowmask segment` makes of these words.
fn parsed(words: Vec<OsString>) -> anyhow::Result<Box<Segment>> {
    let parsed = <Cli as clap::CommandFactory>::command().try_get_matches_from(words);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(Cli { command: Command::Segment(segment) }) => Ok(segment),
        Ok(_) => bail!("the words are of another command"),
        Err(error) => Err(anyhow!("{}", super::usage::sentence(&error, &[]))),
    }
}

impl Cellpose {
    /// Refuses what there is not.
    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            !self.training.train && !self.training.train_size,
            "--train: training is not there yet; --pretrained_model FILE takes a network that cellpose has trained"
        );
        ensure!(
            !self.transformer,
            "--transformer: networks with a transformer are not supported, only the U-Nets of cellpose 1 to 3"
        );
        ensure!(
            self.add_model.is_none(),
            "--add_model: models need not be added; write --pretrained_model FILE"
        );
        if let Some(dir) = self.files.savedir.as_ref().filter(|dir| !dir.is_dir()) {
            bail!("--savedir: the folder {} is not there", dir.display());
        }
        Ok(())
    }

    /// The flags that are given and change nothing, a sentence each.
    fn without_effect(&self) -> Vec<String> {
        let files = &self.files;
        let saves = files.save_png || files.save_tif || files.save_flows || files.save_txt;
        let all = [
            (self.zstack, "--Zstack has no effect: flowmask has no windows"),
            (
                self.invert && self.norm_percentile.is_some(),
                "--invert has no effect with --norm_percentile, as in cellpose 3.1.1",
            ),
            (self.check_mkl, "--check_mkl has no effect: flowmask does not use MKL"),
            (
                self.chan2_restore,
                "--chan2_restore has no effect, as in cellpose 3.1.1; see `flowmask segment --help`",
            ),
            (files.save_mpl, "--save_mpl has no effect: there is no figure of all steps"),
            (
                files.save_outlines && !saves,
                "--save_outlines has no effect without --save_png, --save_tif, --save_flows or --save_txt",
            ),
            (!self.training.of_training.is_empty(), "flags of training have no effect without --train"),
        ];
        all.into_iter().filter(|(given, _)| *given).map(|(_, line)| line.into()).collect()
    }

    /// The images of the folder, or the one image.
    fn images(&self) -> anyhow::Result<Vec<PathBuf>> {
        let Some(dir) = &self.dir else {
            let image = self.image_path.clone();
            return image
                .map(|image| vec![image])
                .ok_or_else(|| anyhow!("write --dir DIR or --image_path FILE"));
        };
        let folders = if self.look_one_level_down { inputs::folders_in(dir)? } else { Vec::new() };
        let mut images = Vec::new();
        for folder in folders.iter().chain([dir]) {
            images.extend(inputs::images_in(folder)?);
        }
        let (filter, masks) = (self.img_filter.as_deref().unwrap_or(""), &self.training.mask_filter);
        images.retain(|image| {
            let stem = super::kinds::stem(image);
            let extension = image.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            EXTENSIONS.contains(&extension.as_str())
                && stem.ends_with(filter)
                && !(stem.len() > masks.len() && stem.ends_with(masks.as_str()))
        });
        images.sort_by(|a, b| natord::compare(&a.to_string_lossy(), &b.to_string_lossy()));
        ensure!(!images.is_empty(), "{} has no images", dir.display());
        Ok(images)
    }

    /// The model as `flowmask segment` names it: of the original, if it has one of this name.
    fn model(&self, name: &str) -> String {
        let is_file = Path::new(name).exists() || name.contains(['/', '\\', ':']);
        if is_file { name.into() } else { format!("cellpose:{name}") }
    }

    /// The same for `flowmask segment`.
    fn words(&self, images: &[PathBuf]) -> anyhow::Result<Vec<OsString>> {
        let mut words: Vec<OsString> = vec!["flowmask".into(), "segment".into()];
        let mut add = |flag: &str, value: Option<&str>| match value {
            None => words.push(format!("--{flag}").into()),
            Some(value) => words.push(format!("--{flag}={value}").into()),
        };
        for (flag, value) in [
            ("model", self.model(&self.pretrained_model).as_str()),
            ("diameter", &self.diameter),
            ("min-size", &self.min_size),
            ("cellprob-threshold", &self.cellprob_threshold),
            ("niter", &self.niter),
            ("batch-size", &self.training.batch_size),
            ("device", &self.device()),
            ("compat", VERSION),
        ] {
            add(flag, Some(value));
        }
        for (flag, given) in [
            ("invert", self.invert && self.norm_percentile.is_none()),
            ("all-channels", self.all_channels),
            ("no-resample", self.no_resample),
            ("no-interp", self.no_interp),
            ("no-norm", self.no_norm),
            ("do-3d", self.do_3d),
            ("exclude-on-edges", self.exclude_on_edges),
            ("augment", self.augment),
            ("overwrite", true),
            ("verbose", self.verbose),
            ("quiet", !self.verbose),
        ] {
            if given {
                add(flag, None);
            }
        }
        let ortho = self.pretrained_model_ortho.as_deref().map(|name| self.model(name));
        let [anisotropy, smooth] =
            [&self.anisotropy, &self.flow3d_smooth].map(|value| Some(value.clone()).filter(|_| self.do_3d));
        for (flag, value) in [
            ("channel-axis", self.channel_axis.as_deref()),
            ("z-axis", self.z_axis.as_deref()),
            ("chan", Some(self.chan.as_str()).filter(|_| !self.all_channels)),
            ("chan2", Some(self.chan2.as_str()).filter(|_| !self.all_channels)),
            ("restore", self.restore_type.as_deref()),
            ("pretrained-model-ortho", ortho.as_deref()),
            ("stitch-threshold", Some(self.stitch_threshold.as_str()).filter(|_| !self.do_3d)),
            ("anisotropy", anisotropy.as_deref()),
            ("flow3d-smooth", smooth.as_deref()),
            ("flow-threshold", Some(self.flow_threshold.as_str()).filter(|_| !self.do_3d)),
        ] {
            if let Some(value) = value {
                add(flag, Some(value));
            }
        }
        if let Some([low, high]) = self.norm_percentile.as_deref() {
            words.extend(["--norm-percentile", low, high].map(OsString::from));
        }
        words.push("--".into());
        words.extend(images.iter().map(OsString::from));
        Ok(words)
    }

    /// The GPU, if one is wanted and there. The original too computes on the processor where no GPU can be used.
    fn device(&self) -> String {
        let device = match (self.use_gpu, self.gpu_device.as_str()) {
            (false, _) => return "cpu".into(),
            (true, "0") => "cuda".to_string(),
            (true, number) => format!("cuda:{number}"),
        };
        let gpus = Device::list("auto").unwrap_or_default();
        if device.parse().is_ok_and(|gpu| gpus.contains(&gpu)) {
            return device;
        }
        messages::notice(&format!(
            "--use_gpu: {device} cannot be used, so the processor computes; `flowmask devices` tells what is missing"
        ));
        "cpu".into()
    }
}
