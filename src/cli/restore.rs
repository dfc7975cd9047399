//! `flowmask restore`: removes noise and blur from images, or enlarges them, and writes them.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail, ensure};
use flowmask::image::{self, Layout, PixelSize, ReadOptions};
use flowmask::{Error, Image, Model, Options, Restorer, output};

use super::args;
use super::inputs;
use super::messages::{Messages, several};
use super::outputs::{Outputs, of_series};
use super::segment::in_volume;

/// Checks everything that does not depend on an image, then restores one image after the other.
pub fn run(args: &args::Restore) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let read = args.input.read_options()?.memory(options.memory);
    let mut inputs = inputs::find_some(&args.inputs, &args.input)?;
    let restorer = restorer(&args.speed, &args.model, &args.chan2)?;
    restorer.check(&options)?;
    // Those of an earlier run lie beside the images, unless the user names them.
    inputs.images.retain(|path| args.inputs.contains(path) || !is_restored(path));
    ensure!(
        !inputs.images.is_empty(),
        "all images were restored by an earlier run; name a file to restore it again"
    );
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
    }
    let extension = args.format.of_library().extension();
    let outputs = Outputs::of(args.dir.as_deref(), extension, args.overwrite, &inputs.images);
    let mut run = Run { args, options, read, restorer, outputs: outputs.below(inputs.below) };
    let mut messages = Messages::bar(args.quiet, inputs.images.len() + inputs.failed.len());
    let steps = args.input.steps.unused(args::Together::Chosen).map(String::from);
    let unused = unused(&args.chan2, args.input.chan2).into_iter().chain(steps);
    let unused = unused.chain(not_enlarged(&run.restorer, &run.options));
    inputs.notes.iter().cloned().chain(unused).for_each(|note| messages.note(&note));
    for (input, error) in inputs.failed {
        messages.failed(&input, &error.into())?;
    }
    for (i, image) in inputs.images.iter().enumerate() {
        messages.begin(image);
        match run.file(i, image, &mut messages) {
            Ok(()) => {}
            Err(error) => messages.failed(image, &error)?,
        }
        messages.progress((i + 1) as f64);
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

/// Tells that a network that enlarges images leaves them at their size.
pub fn not_enlarged(restorer: &Restorer, options: &Options) -> Option<String> {
    (restorer.enlarges() && restorer.ratio(options) == 1.0).then(|| {
        let most = restorer.diam_mean();
        format!("images are not enlarged: write a --diameter from 3 to less than {most} pixels")
    })
}

/// The planes of an image restored. As in the original, those along Z are scaled together. `progress` is called with the part
/// that is done.
pub fn planes(
    restorer: &Restorer,
    mut planes: Vec<Image>,
    layout: &Layout,
    options: &Options,
    progress: &mut (dyn FnMut(f64) + Send),
) -> flowmask::Result<Vec<Image>> {
    let each = || (0..planes.len()).map(|plane| vec![plane]).collect();
    let groups = layout.volumes().unwrap_or_else(|_| each());
    let count = groups.len();
    let sizes: Vec<u64> = planes.iter().map(|plane| larger(plane, restorer, options)).collect();
    let all: u64 = sizes.iter().sum();
    for (v, places) in groups.into_iter().enumerate() {
        // Beside a volume, the others of the file are in memory, restored or still to be restored.
        let others = all - places.iter().map(|&place| sizes[place]).sum::<u64>();
        let mut options = options.clone();
        options.memory = options.memory.map(|memory| memory.saturating_sub(others));
        let mut progress = |part: f64| {
            progress((v as f64 + part) / count as f64);
            true
        };
        let own = places.iter().map(|&place| &planes[place]);
        let restored = restorer.restore_volume_with_progress(own, &options, &mut progress);
        let restored = restored.map_err(|error| match error {
            Error::Memory { what, needed, limit } if options.memory.is_some() && others > 0 => {
                let what = format!("{what}, beside the file's other planes,");
                Error::Memory { what, needed: needed + others, limit: limit + others }
            }
            error if places.len() > 1 => in_volume(error, layout, v),
            error => error,
        })?;
        places.into_iter().zip(restored).for_each(|(place, restored)| planes[place] = restored);
    }
    Ok(planes)
}

/// The bytes of a plane, or of the restored one if that is larger.
fn larger(plane: &Image, restorer: &Restorer, options: &Options) -> u64 {
    let numbers =
        |size: f64, channels: usize| size.powi(2) * (plane.height() * plane.width() * channels) as f64;
    let channels = if options.channels[1] > 0 || options.all_channels { 2 } else { 1 };
    let own = numbers(1.0, plane.channels()) * plane.pixels().kind().bytes() as f64;
    own.max(numbers(restorer.ratio(options), channels) * size_of::<f32>() as f64) as u64
}

fn is_restored(path: &Path) -> bool {
    path.file_stem().unwrap_or_default().to_string_lossy().ends_with("_restored")
}

struct Run<'a> {
    args: &'a args::Restore,
    options: Options,
    read: ReadOptions,
    restorer: Restorer,
    outputs: Outputs,
}

impl Run<'_> {
    /// Restores the images of a file, number `i`.
    fn file(&mut self, i: usize, input: &Path, messages: &mut Messages) -> anyhow::Result<()> {
        let start = Instant::now();
        let output = self.outputs.restored(input)?;
        let stacks = image::read_with(input, &self.read)?;
        messages.read(input, &stacks);
        let count = stacks.len() as f64;
        for (number, mut stack) in stacks.into_iter().enumerate() {
            let size = stack.planes.first().map(Image::size);
            let output = match stack.series {
                Some(number) => self.outputs.restored(&of_series(input, number))?,
                None => output.clone(),
            };
            let mut progress = |part: f64| messages.progress(i as f64 + (number as f64 + part) / count);
            let restored = planes(&self.restorer, stack.planes, &stack.layout, &self.options, &mut progress)?;
            stack.layout.pixel_size =
                pixel_size(stack.layout.pixel_size, size, restored.first().map(Image::size));
            let to = self.outputs.destination(&output)?;
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

/// The size of the pixels of an image that may have another size now.
pub fn pixel_size(pixel: PixelSize, from: Option<(usize, usize)>, to: Option<(usize, usize)>) -> PixelSize {
    let (Some(from), Some(to)) = (from, to) else { return pixel };
    let y = pixel.y.map(|y| y * from.0 as f64 / to.0 as f64);
    let x = pixel.x.map(|x| x * from.1 as f64 / to.1 as f64);
    pixel.x(x).y(y)
}
