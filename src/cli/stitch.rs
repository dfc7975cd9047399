//! `flowmask stitch`: joins the masks of neighbouring planes in label files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use flowmask::cpu::stitch::{drop_small, stitch_within};
use flowmask::image::{LabelStack, Layout, ReadOptions, read_label_stack};
use flowmask::output::{self, Destination};
use flowmask::{Options, Stitching};
use serde_json::json;

use super::messages::{self, Messages};
use super::outputs::Outputs;
use super::{args, inputs};

/// Checks everything that does not depend on a file, then stitches the files.
pub fn run(args: &args::Stitch) -> anyhow::Result<ExitCode> {
    Stitching::new(args.stitch_threshold, &Options::default())?;
    let read = args.labels.read_options()?;
    let inputs = inputs::find_labels(&args.labels)?;
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
    }
    let mut outputs = Outputs::stitched(args, &inputs.images).below(inputs.below);
    let mut messages = Messages::stitching(args, inputs.images.len() + inputs.failed.len());
    for (input, error) in inputs.failed {
        messages.failed(&input, &error.into())?;
    }
    for input in inputs.images {
        messages.begin(&input);
        let done = outputs.of_all(&input).and_then(|names| {
            let to = outputs.destination(names.first())?;
            one(args, &read, (&input, to), &messages)
        });
        match done {
            Ok(done) => {
                messages.step();
                messages.result(|| done.summary(&input), || done.json(&input))?;
            }
            Err(error) => messages.failed(&input, &error)?,
        }
    }
    Ok(messages.finish())
}

/// What became of a file.
struct Done {
    stack: LabelStack,
    output: PathBuf,
    cells: u32,
    start: Instant,
}

/// Stitches the volumes of a file.
fn one(
    args: &args::Stitch,
    read: &ReadOptions,
    (input, to): (&Path, Destination),
    messages: &Messages,
) -> anyhow::Result<Done> {
    let start = Instant::now();
    let mut stack = read_label_stack(input, read)?;
    messages.warn(input, &stack.notes);
    let depth = depth(&stack.layout)?;
    let compat = args::Compat::of_library(args.compat);
    let min_size = usize::try_from(args.min_size).unwrap_or(0);
    let mut cells = 0;
    let mut planes: Vec<_> =
        stack.labels.outer_iter_mut().flat_map(|volume| volume.into_outer_iter_mut()).collect();
    for volume in planes.chunks_mut(depth) {
        cells += match stitch_within(volume, args.stitch_threshold, compat, args.labels.memory)? {
            cells if min_size == 0 => cells,
            _ => drop_small(volume, min_size),
        };
    }
    let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
    let output = to.path().to_path_buf();
    output::save_labels_as(to, &views, args.format.of_library(), &stack.layout)?;
    Ok(Done { stack, output, cells, start })
}

/// How many planes make a volume. Those of a volume follow each other, since readers put Z last.
///
/// # Errors
/// Those of [`Layout::volumes`], and axes with channels, of which labels have none.
pub fn depth(layout: &Layout) -> anyhow::Result<usize> {
    let letters = layout.letters();
    if letters.contains('C') {
        bail!("its axes, {letters}YX, have channels (C), but labels have none; --axes tells what they are");
    }
    Ok(layout.volumes()?.first().map_or(1, Vec::len))
}

impl Done {
    fn planes(&self) -> usize {
        self.stack.labels.dim().0 * self.stack.labels.dim().1
    }

    fn summary(&self, input: &Path) -> String {
        let (cells, planes) = (self.cells, messages::several(self.planes(), "plane"));
        format!("{cells:5} cells in {planes}  {} -> {}", input.display(), self.output.display())
    }

    fn json(&self, input: &Path) -> serde_json::Value {
        let LabelStack { labels, layout, notes, .. } = &self.stack;
        let (_, _, height, width) = labels.dim();
        let stitched = json!({
            "masks": messages::name(&self.output),
            "cells": self.cells,
            "planes": self.planes(),
            "seconds": messages::round(self.start.elapsed().as_secs_f64()),
        });
        messages::joined(messages::of_file(input, layout, notes, [height, width]), stitched)
    }
}
