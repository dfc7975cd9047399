//! `flowmask segment`: finds the cells in images and writes label images.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use flowmask::image::{Layout, Note, ReadOptions};
use flowmask::{Compat, Device, Diameter, Error, Image, Model, Options, Stack, Stitching, image};

mod many;
mod restored;
mod volumes;
mod write;

use super::args::{self, Wanted};
use super::cellpose::Original;
use super::cells::Writer;
use super::inputs;
use super::messages::Messages;
use super::outputs::{Names, Outputs, of_series};
use super::record::Record;
use super::restore;
use super::stitch;
use super::verbose;
use restored::Restoring;
pub use volumes::in_volume;

/// Checks everything that does not depend on an image, then segments the images.
pub fn run(args: &args::Segment) -> anyhow::Result<ExitCode> {
    run_as(args, None)
}

/// The same, with the outputs of the original.
pub fn run_as(args: &args::Segment, original: Option<Original>) -> anyhow::Result<ExitCode> {
    let wanted = original.as_ref().map_or_else(|| args.output.wanted(), Original::wanted);
    let options = Wanted::options(&wanted, args.options()?);
    if args.volumes.do_3d && args.cells.no_resample && wanted.iter().any(|kind| kind.is_of_maps()) {
        bail!("--no-resample: with --do-3d, flows, prob and seg are written at the size of the volume only");
    }
    let restoring = Restoring::of(args, &options)?;
    let options = restoring.as_ref().map_or(options, Restoring::options);
    // As in the original, planes that are one volume are not stitched.
    let stitching = args.cells.stitching(&options)?.filter(|_| !args.volumes.do_3d);
    let read = args.input.read_options()?.memory(options.memory);
    let inputs = inputs::find_some(&args.inputs, &args.input)?;
    let model = Model::named(&args.model.model)?;
    let mut builder = args.speed.builder()?.model(model);
    if let Some(name) = args.volumes.pretrained_model_ortho.as_ref().filter(|_| args.volumes.do_3d) {
        builder = builder.model_ortho(Model::named(name)?);
    }
    let segmenter = builder.build()?;
    if args.volumes.do_3d {
        segmenter.check_volume(&options)?;
    }
    if let Some(dir) = &args.output.dir {
        fs::create_dir_all(dir).map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
    }
    let writer = Writer::new(&args.output);
    let mut outputs =
        Outputs::new(&args.output, &inputs.images).below(inputs.below).named_by(original.clone());
    let shard = |&(place, _): &(usize, PathBuf)| args.many.shard.is_none_or(|shard| shard.has(place));
    let images = inputs.images.into_iter().enumerate().filter(shard).map(|(_, image)| image);
    let (record, finished) = Record::begin(args, segmenter.model())?;
    let images: Vec<PathBuf> = images.filter(|image| !finished.has(image)).collect();
    let mut messages = Messages::new(&args.output, images.len() + inputs.failed.len()).recorded(record);
    if args.output.verbose {
        verbose::run(&args.speed, &segmenter)?.iter().for_each(|line| messages.note(line));
    }
    let unused = args.unused().into_iter().chain(restore::unused(&args.restoration.chan2, args.input.chan2));
    let unused = unused.chain(restoring.as_ref().and_then(Restoring::not_enlarged));
    inputs.notes.iter().cloned().chain(unused).for_each(|note| messages.note(&note));
    for (input, error) in inputs.failed {
        messages.failed(&input, &error.into())?;
    }
    // In the order of the inputs, so that the first of two images with the same output gets it.
    let mut files = Vec::new();
    for image in images {
        if let Some(masks) = args.output.skip_existing.then(|| outputs.existing(&image)).flatten() {
            messages.skipped(&image, &masks)?;
            continue;
        }
        match outputs.of_all(&image) {
            Ok(names) => {
                let (number, parts) = (files.len(), OnceLock::new());
                files.push(File { number, image, names, parts, loading: Mutex::default() });
            }
            Err(error) => messages.failed(&image, &error)?,
        }
    }
    let run = Run {
        files,
        read,
        diam_mean: segmenter.model().diam_mean().into(),
        verbose: args.output.verbose.then(|| (segmenter.model().diam_mean(), options.clone())),
        diameter: options.diameter,
        compat: options.compat,
        restoring,
        stitching,
        writer,
        original,
        channels: [args.input.chan, args.input.chan2],
        outputs: Mutex::new(outputs),
        messages: Mutex::new(messages),
    };
    if args.volumes.do_3d {
        volumes::run(&run, &segmenter, &options)?;
        return Ok(run.finish());
    }
    if run.restoring.is_some() {
        let options = run.stitching.as_ref().map_or(options, Stitching::options);
        restored::run(&run, &segmenter, &options)?;
        return Ok(run.finish());
    }
    let options = run.stitching.as_ref().map_or(options, Stitching::options);
    // Where a GPU has the labels and the pixels, it sums over the cells; of stitched planes it would be in vain.
    let sums = run.stitching.is_none()
        && wanted.iter().any(|kind| kind.is_measured())
        && Device::list(&args.speed.device)?.iter().any(|device| matches!(device, Device::Cuda(_)));
    many::run(&run, &segmenter, &options.sums(sums))?;
    Ok(run.finish())
}

/// About this part of the time, a file is restored; then it is segmented.
const RESTORED: f64 = 0.5;

/// An input image.
struct File {
    number: usize,
    image: PathBuf,
    /// The outputs that have all its planes.
    names: Names,
    /// Known when the file was read.
    parts: OnceLock<Vec<Part>>,
    /// How long it took to load.
    loading: Mutex<Duration>,
}

impl File {
    fn guessed(&self, error: anyhow::Error) -> anyhow::Error {
        guessed(error, self.parts.get().into_iter().flatten().flat_map(|part| &part.stack.notes))
    }
}

/// Adds what was guessed of the axes to an error of the pixels, such as a channel that is not there.
fn guessed<'a>(error: anyhow::Error, mut notes: impl Iterator<Item = &'a Note>) -> anyhow::Error {
    let Some(Error::Image(reason)) = error.downcast_ref::<Error>() else { return error };
    match notes.find(|note| matches!(note, Note::Remark(_))) {
        Some(note) => anyhow!("{reason}; {note}"),
        None => error,
    }
}

/// One image of a file; nearly all files have one.
struct Part {
    names: Names,
    /// What is known of it beside its planes.
    stack: Stack,
    planes: usize,
    /// How many planes make a volume, if they are stitched.
    depth: Option<usize>,
    /// The planes as they were read, for overlays, where others are segmented.
    originals: Vec<Image>,
    /// (height, width) of the planes as they were read, where larger ones are segmented.
    size: Option<(usize, usize)>,
}

/// The state that all images share.
struct Run {
    files: Vec<File>,
    read: ReadOptions,
    /// The diameter of cells that the network was trained for.
    diam_mean: f64,
    /// With `--verbose`: what the tiles depend on.
    verbose: Option<(f32, Options)>,
    /// What the options say about the diameter.
    diameter: Diameter,
    compat: Compat,
    restoring: Option<Restoring>,
    stitching: Option<Stitching>,
    writer: Writer,
    /// The rules of the original on what is written, if they hold.
    original: Option<Original>,
    /// The channels of the cells and of the nuclei.
    channels: [usize; 2],
    outputs: Mutex<Outputs>,
    messages: Mutex<Messages>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// The planes of all volumes of a stack, as they are segmented.
fn prepared(
    stitching: &Stitching,
    planes: Vec<Image>,
    depth: usize,
    layout: &Layout,
) -> flowmask::Result<Vec<Image>> {
    let mut planes = planes.into_iter();
    let mut all = Vec::new();
    for volume in 0..planes.len().div_ceil(depth) {
        let own = planes.by_ref().take(depth).collect();
        all.extend(stitching.prepare(own).map_err(|error| volumes::in_volume(error, layout, volume))?);
    }
    Ok(all)
}

impl Run {
    fn finish(self) -> ExitCode {
        self.messages.into_inner().unwrap_or_else(|e| e.into_inner()).finish()
    }

    /// Tells which part of file number `i` is segmented, which may have been restored before.
    fn segmented(&self, i: usize, part: f64) {
        let before = if self.restoring.is_some() { RESTORED } else { 0.0 };
        lock(&self.messages).progress(i as f64 + before + (1.0 - before) * part);
    }

    /// Loads the planes of all images of a file. Each plane is segmented by itself.
    fn load(&self, file: &File) -> anyhow::Result<Vec<Image>> {
        lock(&self.messages).begin(&file.image);
        let start = Instant::now();
        let mut stacks = image::read_with(&file.image, &self.read)?;
        stacks.iter_mut().for_each(|stack| self.tell_of_channels(stack));
        *lock(&file.loading) = start.elapsed();
        lock(&self.messages).read(&file.image, &stacks);
        let (mut planes, mut parts) = (Vec::new(), Vec::new());
        let count = stacks.len() as f64;
        for (s, mut stack) in stacks.into_iter().enumerate() {
            let mut part = std::mem::take(&mut stack.planes);
            // Before the planes are segmented, since a name may be in the way of another file.
            let names = self.names(file, stack.series, part.len())?;
            match &self.original {
                Some(original) => original.check(part.len())?,
                None => names.masks().map_or(Ok(()), |masks| self.writer.format.check(masks, part.len()))?,
            }
            let (mut depth, mut originals, mut size) = (None, Vec::new(), None);
            if names.kinds().into_iter().any(Wanted::is_of_pixels)
                && (self.restoring.is_some() || self.stitching.is_some())
            {
                originals = part.clone();
            }
            if let Some(restoring) = &self.restoring {
                size = part.first().map(Image::size).filter(|_| restoring.ratio() > 1.0);
                let mut progress = |done: f64| {
                    let half = RESTORED * (s as f64 + done) / count;
                    lock(&self.messages).progress(file.number as f64 + half);
                };
                part = restoring.planes(part, &stack.layout, &mut progress)?;
            }
            if let Some(stitching) = &self.stitching {
                let planes = match stitch::depth(&stack.layout).map_err(|e| guessed(e, stack.notes.iter())) {
                    // The other images of the file can be volumes.
                    Err(error) if stack.series.is_some() => {
                        lock(&self.messages).failed(&file.image, &error)?;
                        continue;
                    }
                    depth => depth?,
                };
                part = prepared(stitching, part, planes, &stack.layout)?;
                depth = Some(planes);
            }
            parts.push(Part { names, stack, planes: part.len(), depth, originals, size });
            planes.extend(part);
        }
        file.parts.get_or_init(|| parts);
        Ok(planes)
    }

    /// Notes that the channels that were chosen have no effect.
    fn tell_of_channels(&self, stack: &mut Stack) {
        let only = stack.planes.first().is_some_and(|plane| plane.channels() == 1);
        if only && self.compat == Compat::V3_1_1 && self.channels != [0, 0] {
            stack.notes.push(Note::Warning("has one channel, so --chan and --chan2 have no effect".into()));
        }
    }

    /// The outputs of an image. That of a file with several has its number in the names.
    fn names(&self, file: &File, series: Option<usize>, planes: usize) -> anyhow::Result<Names> {
        let mut outputs = lock(&self.outputs);
        let (image, mut names) = match series {
            None => (file.image.clone(), file.names.clone()),
            Some(number) => {
                let image = of_series(&file.image, number);
                let names = outputs.of_all(&image)?;
                (image, names)
            }
        };
        outputs.of_planes(&image, planes, &mut names)?;
        Ok(names)
    }
}
