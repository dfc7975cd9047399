//! The flags of the original's command line: `python -m cellpose`, version 3.1.1.

use std::ffi::{OsStr, OsString};

use anyhow::bail;
use clap::CommandFactory;

use super::args::Cli;

/// What becomes of a flag of the original's.
#[derive(Clone, Copy)]
enum Answer {
    /// flowmask has it, with the same meaning.
    Same,
    /// These words mean the same; none if flowmask does so anyway.
    Words(&'static [&'static str]),
    /// Its value is an input.
    Input,
    /// The first GPU, or the one that `--gpu_device` names.
    Gpu,
    /// The number of a GPU. The original uses none without `--use_gpu`.
    GpuNumber,
    /// It is not taken: why, and what to write instead.
    No(&'static str),
}

use Answer::{Gpu, GpuNumber, Input, No, Same, Words};

const TRAINING: Answer =
    No("training is not there yet; --model FILE takes a network that cellpose 1 to 3 has trained");

/// All flags of the original's, and of version 4 those that are new, in the order of its `cli.py`.
const FLAGS: [(&str, Answer); 68] = [
    ("version", Same),
    ("verbose", Same),
    ("Zstack", No("flowmask has no windows; open the label files in Fiji, napari or QuPath")),
    ("use_gpu", Gpu),
    ("gpu_device", GpuNumber),
    ("check_mkl", No("flowmask does not use MKL; `flowmask devices` shows what it computes on")),
    ("dir", Input),
    ("image_path", Input),
    ("look_one_level_down", No("write --recursive, which takes the images of all folders below")),
    ("img_filter", Same),
    ("channel_axis", Same),
    ("z_axis", Same),
    ("chan", Same),
    ("chan2", Same),
    ("invert", Same),
    ("all_channels", Same),
    ("pretrained_model", Same),
    ("restore_type", Same),
    ("chan2_restore", Same),
    ("add_model", No("models need not be added; write --model FILE")),
    ("transformer", No("networks with a transformer are not supported, only the U-Nets of cellpose 1 to 3")),
    ("pretrained_model_ortho", Same),
    ("no_resample", Same),
    ("no_interp", Same),
    ("no_norm", Same),
    ("norm_percentile", Same),
    ("do_3D", Same),
    ("diameter", Same),
    ("stitch_threshold", Same),
    ("min_size", Same),
    ("flow3D_smooth", Same),
    ("flow_threshold", Same),
    ("cellprob_threshold", Same),
    ("niter", Same),
    ("anisotropy", Same),
    ("exclude_on_edges", Same),
    ("augment", Same),
    ("save_png", Words(&["--format", "png"])),
    ("save_tif", Words(&["--format", "tif"])),
    ("output_name", Same),
    // Only the original and `flowmask cellpose` write a `_seg.npy` unless they are told not to.
    ("no_npy", Words(&[])),
    ("savedir", Same),
    ("dir_above", Same),
    ("in_folders", Same),
    ("save_flows", No("write --outputs masks,flows, or `flowmask cellpose` in place of `flowmask segment`")),
    ("save_outlines", Words(&["--overlay"])),
    ("save_rois", No("write --outputs masks,rois, or `flowmask cellpose` in place of `flowmask segment`")),
    ("save_txt", No("write --outputs masks,outlines, or `flowmask cellpose` in place of `flowmask segment`")),
    ("save_mpl", No("there is no figure of all steps; write --overlay for a picture of the outlines")),
    ("train", TRAINING),
    ("train_size", TRAINING),
    ("test_dir", TRAINING),
    ("file_list", TRAINING),
    ("mask_filter", TRAINING),
    ("diam_mean", TRAINING),
    ("learning_rate", TRAINING),
    ("weight_decay", TRAINING),
    ("n_epochs", TRAINING),
    ("batch_size", Same),
    ("nimg_per_epoch", TRAINING),
    ("nimg_test_per_epoch", TRAINING),
    ("min_train_masks", TRAINING),
    ("SGD", TRAINING),
    ("save_every", TRAINING),
    ("model_name_out", TRAINING),
    ("bsize", Same),
    ("train_batch_size", TRAINING),
    ("save_each", TRAINING),
];

/// The flag that a word such as `--save_png` or `--dir=scans` gives, with underscores as the original has them, and its
/// value after the equals sign.
fn flag(word: &OsStr) -> Option<(&'static str, Answer, Option<&str>)> {
    let text = word.to_str()?.strip_prefix("--")?;
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let name = name.replace('-', "_");
    let (name, answer) = FLAGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name))?;
    Some((name, *answer, value))
}

/// A sentence about a word that is a flag of the original's, for a command that does not take it.
pub fn sentence(word: &str) -> Option<String> {
    let (name, answer, _) = flag(OsStr::new(word))?;
    Some(match answer {
        No(reason) => format!("--{name}: {reason}"),
        Words([]) => format!("--{name}: leave it out, since flowmask writes no such file"),
        Words(words) => format!("--{name}: write `flowmask segment` with {}", words.join(" ")),
        Input => format!("--{name}: write the image or folder without the flag"),
        Same if is_there(name) => format!("--{name}: is a flag of `flowmask segment`"),
        Same => format!("--{name}: is not there yet; leave it out"),
        Gpu | GpuNumber => format!("--{name}: write --device cuda or --device cuda:N"),
    })
}

/// Whether `flowmask segment` has a flag of this name.
fn is_there(name: &str) -> bool {
    let cli = Cli::command();
    let mut flags = cli.find_subcommand("segment").into_iter().flat_map(|segment| segment.get_arguments());
    let is = |long: &str| long.replace('-', "_") == name;
    flags.any(|arg| {
        arg.get_long().is_some_and(is) || arg.get_all_aliases().unwrap_or_default().into_iter().any(is)
    })
}

/// The words of a command line with those of flowmask in place of the original's.
///
/// # Errors
/// A flag that is not taken, with what to write instead.
pub fn translate(words: Vec<OsString>) -> anyhow::Result<Vec<OsString>> {
    match words.get(1).and_then(|word| word.to_str()) {
        Some("segment") => segment(words),
        Some(first) if first != "--version" && flag(OsStr::new(first)).is_some() => {
            let refused =
                words.iter().filter_map(|word| flag(word)).find_map(|(name, answer, _)| match answer {
                    No(reason) => Some((name, reason)),
                    _ => None,
                });
            if let Some((name, reason)) = refused {
                bail!("--{name}: {reason}");
            }
            bail!("write `flowmask segment` before {first}: it takes the flags of `python -m cellpose`")
        }
        _ => Ok(words),
    }
}

fn segment(words: Vec<OsString>) -> anyhow::Result<Vec<OsString>> {
    let mut translated = Vec::new();
    let (mut use_gpu, mut number) = (false, None);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            translated.push(word);
            break;
        }
        let Some((name, answer, value)) = flag(&word) else {
            translated.push(word);
            continue;
        };
        let mut value = || {
            let next = value.map(OsString::from).or_else(|| words.next());
            next.ok_or_else(|| anyhow::anyhow!("--{name}: its value is missing"))
        };
        match answer {
            Same => translated.push(word),
            Words(own) => add(&mut translated, name, own)?,
            Input => translated.push(value()?),
            Gpu => use_gpu = true,
            GpuNumber => number = Some(value()?.to_string_lossy().into_owned()),
            No(reason) => bail!("--{name}: {reason}"),
        }
    }
    if use_gpu {
        let device = match number.as_deref() {
            None => "cuda".to_string(),
            Some(number) if number.parse::<u32>().is_ok() => format!("cuda:{number}"),
            Some(other) => {
                bail!("--gpu_device: {other} is not the number of an NVIDIA GPU; write --device cuda:N")
            }
        };
        translated.extend(["--device".into(), device.into()]);
    }
    translated.extend(words);
    Ok(translated)
}

/// Adds the words `own` that the flag `name` stands for. A flag can be written twice only in the same words.
fn add(words: &mut Vec<OsString>, name: &str, own: &[&str]) -> anyhow::Result<()> {
    let Some(at) = own.first().and_then(|flag| words.iter().position(|word| word == flag)) else {
        words.extend(own.iter().map(OsString::from));
        return Ok(());
    };
    if words[at..].iter().zip(own).any(|(word, own)| word != own) {
        bail!("--{name}: means {}, but there is another {} too", own.join(" "), own[0]);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
