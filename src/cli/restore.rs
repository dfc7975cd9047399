//! `flowmask restore`: removes noise and blur from images, or enlarges them, and writes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use flowmask::image::{self, ReadOptions};
use flowmask::{Image, Model, Options, Restorer, output};

use super::args;
use super::inputs;
use super::messages::{Messages, several};
use super::outputs::Outputs;

/// Checks everything that does not depend on an image, then restores one image after the other.
pub fn run(args: &args::Restore) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let read = args.input.read_options()?.memory(options.memory);
    let mut inputs = inputs::find_some(&args.inputs, &args.input)?;
    let restorer = restorer(&args.speed, &args.model, &args.chan2)?;
    restorer.check(&options)?;
    // Those of an earlier run lie beside the images, unless the user names them.
    inputs.images.retain(|path| args.inputs.contains(path) || !is_restored(path));
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
    }
    let extension = args.format.of_library().extension();
    let outputs = Outputs::of(args.dir.as_deref(), extension, args.overwrite, &inputs.images);
    let mut run = Run { args, options, read, restorer, outputs: outputs.below(inputs.below) };
    let mut messages = Messages::bar(args.quiet, inputs.images.len() + inputs.failed.len());
    inputs.notes.iter().chain(&unused(&args.chan2, args.input.chan2)).for_each(|note| messages.note(note));
    for (input, error) in inputs.failed {
        messages.failed(&input, &error.into())?;
    }
    for image in &inputs.images {
        messages.begin(image);
        match run.file(image, &mut messages) {
            Ok(()) => messages.step(),
            Err(error) => messages.failed(image, &error)?,
        }
    }
    Ok(messages.finish())
}

/// The network that was asked for, on the devices that were asked for.
pub fn restorer(speed: &args::Speed, model: &str, chan2: &args::Chan2) -> anyhow::Result<Restorer> {
    let first = Model::named(model)?;
    let mut builder = speed.builder()?.model(first);
    if let Some(name) = &chan2.chan2_restore {
        builder = builder.model_chan2(Model::named(&second(model, name)?)?);
    }
    Ok(builder.restorer()?)
}

/// The network of the second channel. The original takes the one for nuclei that does what the first does.
fn second(first: &str, name: &str) -> anyhow::Result<String> {
    if !name.is_empty() {
        return Ok(name.into());
    }
    let first = first.strip_prefix("cellpose:").unwrap_or(first);
    match first.split_once('_') {
        Some((does @ ("denoise" | "deblur" | "upsample" | "oneclick"), _)) if !Path::new(first).exists() => {
            Ok(format!("{does}_nuclei"))
        }
        _ => bail!(
            "--chan2-restore: {first} is not one of Cellpose's networks; name the second one: --chan2-restore=MODEL"
        ),
    }
}

/// Tells that there is no second channel to restore.
pub fn unused(chan2: &args::Chan2, channel: usize) -> Option<String> {
    (chan2.chan2_restore.is_some() && channel == 0)
        .then(|| "without --chan2 there is no second channel, so --chan2-restore changes nothing".into())
}

fn is_restored(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.ends_with("_restored") && output::is_own(path)
}

struct Run<'a> {
    args: &'a args::Restore,
    options: Options,
    read: ReadOptions,
    restorer: Restorer,
    outputs: Outputs,
}

impl Run<'_> {
    /// Restores the images of a file.
    fn file(&mut self, input: &Path, messages: &mut Messages) -> anyhow::Result<()> {
        let start = Instant::now();
        let output = self.outputs.restored(input)?;
        let stacks = image::read_with(input, &self.read)?;
        messages.read(input, &stacks);
        for stack in stacks {
            let output = match stack.series {
                Some(number) => self.outputs.restored(&of_series(input, number))?,
                None => output.clone(),
            };
            // Each plane is freed when it is restored.
            let restored = stack.planes.into_iter().map(|plane| self.restorer.restore(&plane, &self.options));
            let restored: Vec<Image> = restored.collect::<flowmask::Result<_>>()?;
            let to = self.outputs.destination(&output);
            output::save_images(to, &restored, self.args.format.of_library(), &stack.layout)?;
            messages.say(&format!(
                "{:>10}  {:.2} s  {} -> {}",
                several(restored.len(), "plane"),
                start.elapsed().as_secs_f64(),
                input.display(),
                output.display()
            ))?;
        }
        Ok(())
    }
}

/// The name of one image of a file that has several, from which that of its output is made.
fn of_series(input: &Path, number: usize) -> PathBuf {
    let mut name = input.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("_series{number}.tif"));
    input.with_file_name(name)
}
