//! `flowmask styles`: writes the style vectors of images as numbers and as a map.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use flowmask::image::ReadOptions;
use flowmask::output::{Destination, is_own};
use flowmask::report::{StyleImage, StyleMap, TsneOptions, save_styles_csv, save_styles_npy};
use flowmask::{Model, Options, Segmenter, image};

use super::args;
use super::inputs::{self, Found};
use super::messages::Messages;

/// Checks everything that does not depend on an image, computes the style vectors, then writes the files.
pub fn run(args: &args::Styles) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let read = args.input.read_options()?.memory(options.memory);
    let mut found = inputs::find_some(&args.inputs, &args.input)?;
    leave_out_outputs(args, &mut found)?;
    let model = Model::named(&args.model.model)?;
    let segmenter = args.speed.segmenter(model)?;
    segmenter.check(&options)?;
    let outputs = Outputs::new(args);
    outputs.check()?;
    fs::create_dir_all(&args.dir)
        .map_err(|e| anyhow!("cannot create the folder {}: {e}", args.dir.display()))?;
    let mut messages = Messages::bar(args.quiet, found.images.len() + found.failed.len());
    found.notes.iter().for_each(|note| messages.note(note));
    for (input, error) in found.failed {
        messages.failed(&input, &error.into())?;
    }
    let mut images = Vec::new();
    for input in &found.images {
        messages.begin(input);
        match styles(&segmenter, input, &options, &read, &messages) {
            Ok(planes) => {
                images.extend(planes);
                messages.step();
            }
            Err(error) => messages.failed(input, &error)?,
        }
    }
    if !images.is_empty() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(args.speed.threads).build()?;
        messages.say(&pool.install(|| write(args, &outputs, &images))?)?;
    }
    Ok(messages.finish())
}

/// The files that this command writes.
const OUTPUTS: [&str; 5] = ["styles.csv", "styles.npy", "styles.svg", "styles.png", "styles.html"];

/// Removes the outputs of an earlier run from the inputs, since they may lie in an input folder. It is an error when the
/// user names one as an input.
fn leave_out_outputs(args: &args::Styles, found: &mut Found) -> anyhow::Result<()> {
    let outputs: Vec<PathBuf> =
        OUTPUTS.iter().filter_map(|name| args.dir.join(name).canonicalize().ok()).collect();
    let is_output = |path: &Path| path.canonicalize().is_ok_and(|path| outputs.contains(&path));
    if let Some(input) = args.inputs.iter().find(|input| is_output(input)) {
        bail!("{}: the output would overwrite this input", input.display());
    }
    found.images.retain(|path| !is_output(path));
    match found.images.is_empty() {
        true => Err(anyhow!("the inputs have no images other than the outputs of an earlier run")),
        false => Ok(()),
    }
}

/// Where the files are written, and what they may replace.
struct Outputs<'a> {
    dir: &'a Path,
    overwrite: bool,
    /// Whether the NPY file, which can have no mark, is replaced: that beside flowmask's CSV file is flowmask's.
    overwrite_npy: bool,
}

impl<'a> Outputs<'a> {
    fn new(args: &'a args::Styles) -> Self {
        let overwrite_npy = args.overwrite || is_own(&args.dir.join("styles.csv"));
        Outputs { dir: &args.dir, overwrite: args.overwrite, overwrite_npy }
    }

    fn to(&self, name: &str) -> Destination {
        let overwrite = if name.ends_with(".npy") { self.overwrite_npy } else { self.overwrite };
        Destination::new(self.dir.join(name)).overwrite(overwrite)
    }

    fn check(&self) -> flowmask::Result<()> {
        OUTPUTS.iter().try_for_each(|name| self.to(name).check())
    }
}

/// The style vector of each plane of an image file.
fn styles(
    segmenter: &Segmenter,
    input: &Path,
    options: &Options,
    read: &ReadOptions,
    messages: &Messages,
) -> anyhow::Result<Vec<StyleImage>> {
    let stacks = image::read_with(input, read)?;
    messages.read(input, &stacks);
    let planes: Vec<_> = stacks.into_iter().flat_map(|stack| stack.planes).collect();
    let folder = input.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = |plane: usize| match planes.len() {
        1 => input.display().to_string(),
        _ => format!("{}[{plane}]", input.display()),
    };
    let style = |(i, plane)| {
        let style = segmenter.style(plane, options)?;
        Ok(StyleImage::new(name(i), folder.display().to_string(), plane, style))
    };
    planes.iter().enumerate().map(style).collect()
}

/// Writes all files, and returns the line that names them.
fn write(args: &args::Styles, outputs: &Outputs, images: &[StyleImage]) -> anyhow::Result<String> {
    let dir = &args.dir;
    save_styles_csv(outputs.to("styles.csv"), images)?;
    save_styles_npy(outputs.to("styles.npy"), images)?;
    let count = match images.len() {
        1 => "1 image".to_string(),
        n => format!("{n} images"),
    };
    let options = TsneOptions { perplexity: args.map.perplexity, seed: args.map.seed };
    let Some(map) = StyleMap::new(images, &options) else {
        let min = StyleMap::MIN_IMAGES;
        return Ok(format!(
            "{count} -> {}, .npy; a map needs at least {min}",
            dir.join("styles.csv").display()
        ));
    };
    let figure = map.figure();
    figure.save_svg(outputs.to("styles.svg"))?;
    figure.save_png(outputs.to("styles.png"), 2.0)?;
    map.save_html(outputs.to("styles.html"), "Style map")?;
    Ok(format!("{count} -> {}, .npy, .svg, .png, .html", dir.join("styles.csv").display()))
}
