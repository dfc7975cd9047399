//! Everything that is printed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::args;
use super::outputs::Names;

/// What is known of an image when it is done.
pub struct Done {
    pub names: Names,
    pub cells: usize,
    pub planes: usize,
    pub height: usize,
    pub width: usize,
    /// The mean over the planes, in pixels.
    pub diameter: f64,
    pub time: Duration,
}

/// What is printed for an image that is done.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Nothing,
    Text,
    Json,
}

/// Reports on a run over images, and remembers whether any failed.
pub struct Report {
    style: Style,
    bar: ProgressBar,
    failed: bool,
}

impl Report {
    pub fn new(args: &args::Output, inputs: usize) -> Self {
        let style = match args {
            args::Output { quiet: true, .. } => Style::Nothing,
            args::Output { json: true, .. } => Style::Json,
            _ => Style::Text,
        };
        Self::of(style, inputs)
    }

    /// Of a run that has no line for each image.
    pub fn bar(quiet: bool, inputs: usize) -> Self {
        Self::of(if quiet { Style::Nothing } else { Style::Text }, inputs)
    }

    fn of(style: Style, inputs: usize) -> Self {
        // A bar on stderr hides itself when that is not a terminal.
        let bar = match style {
            Style::Text => ProgressBar::new(inputs as u64),
            _ => ProgressBar::hidden(),
        };
        if let Ok(template) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(template);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Report { style, bar, failed: false }
    }

    pub fn begin(&self, input: &Path) {
        self.bar.set_message(input.display().to_string());
    }

    pub fn done(&self, input: &Path, done: &Done) -> anyhow::Result<()> {
        self.bar.inc(1);
        match self.style {
            Style::Nothing => Ok(()),
            Style::Text => self.print(&summary(input, done)),
            Style::Json => self.print(&to_json(input, done).to_string()),
        }
    }

    /// One more image is done, of which nothing is printed.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Prints a line, unless quiet.
    pub fn say(&self, line: &str) -> anyhow::Result<()> {
        match self.style {
            Style::Text => self.print(line),
            _ => Ok(()),
        }
    }

    pub fn failed(&mut self, input: &Path, error: &anyhow::Error) -> anyhow::Result<()> {
        self.failed = true;
        self.bar.inc(1);
        let message = about(input, error);
        self.bar.suspend(|| complain(&message));
        match self.style {
            Style::Json => self.print(&json!({ "input": text(input), "error": message }).to_string()),
            _ => Ok(()),
        }
    }

    pub fn finish(self) -> ExitCode {
        self.bar.finish_and_clear();
        ExitCode::from(u8::from(self.failed))
    }

    fn print(&self, line: &str) -> anyhow::Result<()> {
        self.bar.suspend(|| print(line))
    }
}

/// A line on stdout. A reader that has gone away (`| head`) is no error: the files are what matters.
pub fn print(line: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow!("cannot write to the standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// One line on stderr. Nobody is left to tell when that fails.
pub fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "flowmask: {}", message.replace('\n', " "));
}

/// The error with the name of the image in front, unless it names it itself.
fn about(input: &Path, error: &anyhow::Error) -> String {
    use flowmask::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::Read { .. } | Error::ImageFile { .. }) => error.to_string(),
        _ => format!("{}: {error}", input.display()),
    }
}

fn summary(input: &Path, done: &Done) -> String {
    let (input, masks) = (input.display(), done.names.masks.display());
    format!("{:5} cells  {:.2} s  {input} -> {masks}", done.cells, done.time.as_secs_f64())
}

fn to_json(input: &Path, done: &Done) -> Value {
    let round = |value: f64| (value * 1000.0).round() / 1000.0;
    json!({
        "input": text(input),
        "masks": text(&done.names.masks),
        "overlays": done.names.overlays.iter().map(|path: &PathBuf| text(path)).collect::<Vec<_>>(),
        "cells": done.cells,
        "planes": done.planes,
        "height": done.height,
        "width": done.width,
        "diameter": round(done.diameter),
        "seconds": round(done.time.as_secs_f64()),
    })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
