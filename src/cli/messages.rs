//! Everything that the command prints: results on stdout, errors and the progress bar on stderr.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::anyhow;
use flowmask::image::{Layout, Note};
use flowmask::text::{self, printable};
use flowmask::{Diameter, Error, Stack};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Map, Value, json};

use super::args::{self, Wanted};
use super::flags;
use super::outputs::Names;
use super::record::Record;

/// The result of one image, for its line.
pub struct Done {
    pub names: Names,
    /// `None` if only maps were wanted.
    pub cells: Option<usize>,
    /// The number of the image, if its file has several.
    pub series: Option<usize>,
    pub planes: usize,
    pub layout: Layout,
    pub notes: Vec<Note>,
    pub height: usize,
    pub width: usize,
    /// The mean diameter of the planes, in pixels.
    pub diameter: f64,
    /// Where it is from: the option, the model or an estimate.
    pub diameter_from: Diameter,
    /// How many images the file has.
    pub images: usize,
    /// How many times larger the network saw the image.
    pub scale: f64,
    pub stages: Stages,
}

/// How long an image took: to be read, to be segmented, and to be stitched and written.
#[derive(Clone, Copy, Default)]
pub struct Stages {
    pub read: Duration,
    pub segment: Duration,
    pub write: Duration,
}

impl Stages {
    fn sum(self) -> f64 {
        (self.read + self.segment + self.write).as_secs_f64()
    }

    fn json(self) -> Value {
        let [read, segment, write] =
            [self.read, self.segment, self.write].map(|time| round(time.as_secs_f64()));
        json!({ "read": read, "segment": segment, "write": write })
    }
}

/// What is printed for each image.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Nothing,
    Text,
    Json,
}

/// Prints what happens in a run over images, and remembers whether any failed.
pub struct Messages {
    style: Style,
    verbose: bool,
    /// Its length is a thousand for each image.
    bar: ProgressBar,
    /// Where the bar was when the run began that reports its progress itself.
    start: Option<u64>,
    failed: bool,
    /// What becomes of each image is written here too.
    record: Option<Mutex<Record>>,
}

/// The length of the bar for one image.
const IMAGE: u64 = 1000;

impl Messages {
    pub fn new(args: &args::Output, inputs: usize) -> Self {
        let style = match args {
            args::Output { quiet: true, .. } => Style::Nothing,
            args::Output { json: true, .. } => Style::Json,
            _ => Style::Text,
        };
        Messages { verbose: args.verbose, ..Self::of(style, inputs) }
    }

    /// For a run over label files.
    pub fn stitching(args: &args::Stitch, inputs: usize) -> Self {
        Self::of(
            match (args.quiet, args.json) {
                (true, _) => Style::Nothing,
                (_, true) => Style::Json,
                _ => Style::Text,
            },
            inputs,
        )
    }

    /// For a run that prints no line for each image.
    pub fn bar(quiet: bool, inputs: usize) -> Self {
        Self::of(if quiet { Style::Nothing } else { Style::Text }, inputs)
    }

    fn of(style: Style, inputs: usize) -> Self {
        // The bar hides itself when stderr is not a terminal.
        let bar = match style {
            Style::Text => ProgressBar::new(inputs as u64 * IMAGE),
            _ => ProgressBar::hidden(),
        };
        let template = "{bar:30} {percent:>3}% of {images}, {rate}, {eta} left {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("images", images).with_key("rate", rate));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Messages { style, verbose: false, bar, start: None, failed: false, record: None }
    }

    pub fn begin(&self, input: &Path) {
        self.bar.set_message(text::path(input));
    }

    /// Moves the bar to so many images of the present run.
    pub fn progress(&mut self, images: f64) {
        let start = *self.start.get_or_insert(self.bar.position());
        self.bar.set_position(start + (images * IMAGE as f64) as u64);
    }

    /// Tells what was left out of a file that was read, and with `--verbose` how it was understood.
    pub fn read(&self, input: &Path, stacks: &[Stack]) {
        let say = |line: &str| self.bar.suspend(|| notice(line));
        for stack in stacks {
            if self.style != Style::Nothing {
                stack.warnings().for_each(|about| say(&format!("warning: {}: {about}", text::path(input))));
            }
            if self.verbose {
                say(&format!("{}: {}", text::path(input), understood(stack)));
                let remarks = stack.notes.iter().filter(|note| !matches!(note, Note::Warning(_)));
                remarks.for_each(|note| say(&format!("{}: {note}", text::path(input))));
            }
        }
    }

    /// Also keeps what becomes of each image.
    pub fn recorded(self, record: Option<Record>) -> Self {
        Messages { record: record.map(Mutex::new), ..self }
    }

    fn record(&self, image: &Value) -> anyhow::Result<()> {
        let record = self.record.as_ref().map(|record| record.lock().unwrap_or_else(|e| e.into_inner()));
        record.map_or(Ok(()), |mut record| record.add(image))
    }

    pub fn done(&self, input: &Path, done: &Done) -> anyhow::Result<()> {
        if self.record.is_some() {
            let status = json!({ "status": "done", "images": done.images });
            self.record(&joined(to_json(input, done), status))?;
        }
        self.result(|| summary(input, done), || to_json(input, done))
    }

    /// Prints a result as a line of text or of JSON.
    pub fn result(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> anyhow::Result<()> {
        match self.style {
            Style::Nothing => Ok(()),
            Style::Text => self.print(&text()),
            Style::Json => self.print(&json().to_string()),
        }
    }

    /// Tells what was left out of a label file.
    pub fn warn(&self, input: &Path, notes: &[Note]) {
        for note in notes.iter().filter(|note| matches!(note, Note::Warning(_))) {
            self.note(&format!("warning: {}: {note}", text::path(input)));
        }
    }

    /// Tells that an image was skipped, since its outputs are there already.
    pub fn skipped(&self, input: &Path, masks: &Path) -> anyhow::Result<()> {
        self.bar.inc(IMAGE);
        match self.style {
            Style::Nothing => Ok(()),
            Style::Text => self.print(&format!("skipped  {}: {} is there", input.display(), masks.display())),
            Style::Json => self.print(&json!({ "input": name(input), "skipped": name(masks) }).to_string()),
        }
    }

    /// Prints a line on stderr that is no error, unless the run is quiet.
    pub fn note(&self, line: &str) {
        if self.style != Style::Nothing {
            self.bar.suspend(|| notice(line));
        }
    }

    /// Counts one more image as done, without printing a line.
    pub fn step(&self) {
        self.bar.inc(IMAGE);
    }

    /// Prints a line, unless the run is quiet.
    pub fn say(&self, line: &str) -> anyhow::Result<()> {
        match self.style {
            Style::Text => self.print(line),
            _ => Ok(()),
        }
    }

    pub fn failed(&mut self, input: &Path, error: &anyhow::Error) -> anyhow::Result<()> {
        self.failed = true;
        if self.start.is_none() {
            self.bar.inc(IMAGE);
        }
        let message = about(input, error);
        self.record(&json!({ "input": name(input), "status": "failed", "error": message }))?;
        self.bar.suspend(|| notice(&message));
        match self.style {
            Style::Json => self.print(&json!({ "input": name(input), "error": message }).to_string()),
            _ => Ok(()),
        }
    }

    pub fn finish(self) -> ExitCode {
        self.bar.finish_and_clear();
        let record = self.record.map(|record| record.into_inner().unwrap_or_else(|e| e.into_inner()));
        if let Some(Err(error)) = record.map(Record::finish) {
            notice(&error.to_string());
            return ExitCode::from(1);
        }
        ExitCode::from(u8::from(self.failed))
    }

    fn print(&self, line: &str) -> anyhow::Result<()> {
        self.bar.suspend(|| print(line))
    }
}

/// The number of images of the bar.
fn images(state: &ProgressState, out: &mut dyn fmt::Write) {
    let images = state.len().unwrap_or(0) / IMAGE;
    // A bar that cannot be drawn is left out.
    let _ = write!(out, "{images} image{}", if images == 1 { "" } else { "s" });
}

/// How fast the bar moves, in images: by the minute when they are slow.
fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    let rate = state.per_sec() / IMAGE as f64;
    let _ = match rate < 1.0 {
        true => write!(out, "{:.1} images/min", 60.0 * rate),
        false => write!(out, "{rate:.1} images/s"),
    };
}

/// Prints a line on stdout; what a terminal would act on is escaped. It is no error when the reader has closed the pipe
/// (`| head`), since the files still count.
pub fn print(line: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{}", printable(line)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow!("cannot write to the standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// Prints one line on stderr; what a terminal would act on is escaped. When that fails there is nowhere left to print, so
/// the error is ignored.
pub fn notice(message: &str) {
    let _ = writeln!(io::stderr(), "flowmask: {}", printable(message));
}

/// The error with the name of the image in front, unless the error already names it.
pub fn about(input: &Path, error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::Read { .. } | Error::ImageFile { .. }) => error.to_string(),
        Some(Error::Memory { what, .. }) if *what == text::path(input) => error.to_string(),
        Some(Error::Image(reason)) => format!("{}: {reason}", text::path(input)),
        _ => format!("{}: {}", text::path(input), flags::sentence(error)),
    }
}

/// How a file was understood: its planes, their axes, and the channels.
fn understood(stack: &Stack) -> String {
    let axes = stack.layout.axes.iter().map(|axis| format!(", {} {}", axis.letter, axis.length));
    let image = stack.series.map(|n| format!("image {n}, ")).unwrap_or_default();
    let Some(plane) = stack.planes.first() else { return image };
    let (planes, channels) = (stack.planes.len(), plane.channels());
    let size = format!("{} of {} by {} pixels", several(planes, "plane"), plane.height(), plane.width());
    format!("{image}{size}, {}{}", several(channels, "channel"), axes.collect::<String>())
}

/// A count with its noun, such as "1 plane" or "2 planes".
pub fn several(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn summary(input: &Path, done: &Done) -> String {
    let (input, masks) = (input.display(), done.names.first().display());
    let found = done.cells.map_or("maps       ".into(), |cells| format!("{cells:5} cells"));
    format!("{found}  {:.2} s  {input} -> {masks}", done.stages.sum())
}

/// What the JSON of an image and of a label file have in common: the file and its axes.
pub fn of_file(input: &Path, layout: &Layout, notes: &[Note], [height, width]: [usize; 2]) -> Value {
    let texts = |warnings: bool| {
        let notes = notes.iter().filter(|note| matches!(note, Note::Warning(_)) == warnings);
        notes.map(Note::to_string).collect::<Vec<_>>()
    };
    let size = &layout.pixel_size;
    json!({
        "input": name(input),
        "axes": format!("{}YX", layout.letters()),
        "shape": layout.axes.iter().map(|axis| axis.length).chain([height, width]).collect::<Vec<_>>(),
        "pixel_size": { "x": size.x, "y": size.y, "z": size.z, "unit": size.unit },
        "notes": texts(false),
        "warnings": texts(true),
        "height": height,
        "width": width,
    })
}

/// The files of each kind of output.
pub fn outputs(names: &Names) -> Value {
    let files = |kind| Value::from(names.of(kind).map(name).collect::<Vec<_>>());
    let kinds = names.kinds().into_iter().map(|kind| (kind.name(), files(kind)));
    kinds.collect::<Map<_, _>>().into()
}

/// One object of two, with the keys of both.
pub fn joined(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// Seconds and pixels to three digits after the point.
pub fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn to_json(input: &Path, done: &Done) -> Value {
    let file = of_file(input, &done.layout, &done.notes, [done.height, done.width]);
    let found = json!({
        "series": done.series,
        "masks": done.names.masks().map(name),
        "overlays": done.names.of(Wanted::Overlay).map(name).collect::<Vec<_>>(),
        "outputs": outputs(&done.names),
        "cells": done.cells,
        "planes": done.planes,
        "diameter": round(done.diameter),
        "diameter_from": match done.diameter_from {
            Diameter::Model => "model",
            Diameter::Pixels(_) | Diameter::Scale(_) => "option",
            Diameter::Auto => "estimate",
        },
        "scale": round(done.scale),
        "seconds": round(done.stages.sum()),
        "stages": done.stages.json(),
    });
    joined(file, found)
}

pub fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
