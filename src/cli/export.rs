//! `flowmask export`: ROIs, polygons, overlays and more of label files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use flowmask::image::{self, LabelStack, Layout, Note, PixelSize, ReadOptions, Stack, read_label_stack};
use flowmask::{Image, output};
use ndarray::ArrayView2;
use serde_json::{Value, json};

use super::cells::{Cells, Writer};
use super::messages::{self, Messages, several};
use super::outputs::{Names, Outputs};
use super::{args, inputs, kinds, pairs};

/// Checks everything that does not depend on a file, then writes the outputs of one file after the other.
pub fn run(args: &args::Export) -> anyhow::Result<ExitCode> {
    args.check()?;
    let args::Pictured { labels, images, volumes } = &args.pictured;
    let read = labels.read_options()?;
    let inputs = inputs::find_labels(labels)?;
    let mut run = Run {
        writer: Writer::new(&args.output),
        outputs: Outputs::new(&args.output, &inputs.images).below(inputs.below),
        images: images.as_deref(),
        volumes: *volumes,
        read,
    };
    let mut messages = Messages::new(&args.output, inputs.images.len() + inputs.failed.len());
    inputs.notes.iter().for_each(|note| messages.note(note));
    for (input, error) in inputs.failed {
        messages.failed(&input, &error.into())?;
    }
    for input in inputs.images {
        messages.begin(&input);
        match run.file(&input, &messages) {
            Ok(done) => {
                messages.step();
                messages.result(|| done.summary(&input), || done.json(&input))?;
            }
            Err(error) => messages.failed(&input, &error)?,
        }
    }
    Ok(messages.finish())
}

struct Run<'a> {
    writer: Writer,
    outputs: Outputs,
    images: Option<&'a Path>,
    volumes: bool,
    read: ReadOptions,
}

impl Run<'_> {
    fn file(&mut self, input: &Path, messages: &Messages) -> anyhow::Result<Done> {
        let start = Instant::now();
        let LabelStack { labels, mut layout, notes, .. } = read_label_stack(input, &self.read)?;
        messages.warn(input, &notes);
        let (volumes, depth, height, width) = labels.dim();
        let planes = labels.into_shape_with_order((volumes * depth, height, width))?;
        let masks: Vec<ArrayView2<u32>> = planes.outer_iter().collect();
        let image = input.with_file_name(pairs::image_name(input) + ".tif");
        let mut names = self.outputs.of_all(&image)?;
        self.outputs.of_planes(&image, masks.len(), &mut names)?;
        let file = self.images.map(|path| image_of(path, &image)).transpose()?;
        let stack = file.as_ref().map(|file| pixels(file, &masks)).transpose()?;
        let images = stack.as_ref().map_or(&[][..], |stack| &stack.planes);
        if let Some(stack) = stack.as_ref().filter(|_| layout.pixel_size == PixelSize::default()) {
            layout.pixel_size = stack.layout.pixel_size.clone();
        }
        if self.volumes {
            layout.volumes()?;
        }
        let cells = Cells::of_labels(file.as_deref().unwrap_or(&image), &masks, &layout, self.volumes);
        let cells = Cells { images, ..cells };
        let group = output::Group::default();
        self.writer.write(&cells, &names, |path| Ok(self.outputs.destination(path)?.group(&group)))?;
        group.place()?;
        let cells = count(&masks, &layout);
        Ok(Done { names, cells, layout, notes, size: [height, width], planes: masks.len(), start })
    }
}

/// An image whose planes have the labels `masks`.
fn pixels(file: &Path, masks: &[ArrayView2<u32>]) -> anyhow::Result<Stack> {
    let stack = image::read(file)?;
    let fits = |(image, labels): (&Image, &ArrayView2<u32>)| image.size() == labels.dim();
    if stack.planes.len() != masks.len() || !stack.planes.iter().zip(masks).all(fits) {
        let size = stack.planes.first().map(Image::size).unwrap_or_default();
        bail!(
            "the labels have {} of {} by {} pixels, but {} has {} of {} by {}",
            several(masks.len(), "plane"),
            masks[0].dim().0,
            masks[0].dim().1,
            file.display(),
            several(stack.planes.len(), "plane"),
            size.0,
            size.1
        );
    }
    Ok(stack)
}

/// The file of an image: `path` itself, or the file in that folder that has the name of `image` and any extension that is
/// read.
fn image_of(path: &Path, image: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let name = image.file_name().unwrap_or_default();
    let files = image::EXTENSIONS.iter().map(|extension| path.join(name).with_extension(extension));
    files
        .into_iter()
        .find(|file| file.is_file())
        .ok_or_else(|| anyhow!("{} has no image of the name {}", path.display(), kinds::stem(image)))
}

/// How many cells there are: in each plane, or in each volume.
fn count(masks: &[ArrayView2<u32>], layout: &Layout) -> usize {
    let volumes = layout.volumes().unwrap_or_else(|_| (0..masks.len()).map(|plane| vec![plane]).collect());
    let labels = |planes: Vec<usize>| {
        let (mut labels, mut last) = (HashSet::new(), 0);
        // Only where the label changes, since neighbours are mostly of one cell.
        for &label in planes.into_iter().flat_map(|plane| &masks[plane]) {
            if label != last && label != 0 {
                labels.insert(label);
            }
            last = label;
        }
        labels.len()
    };
    volumes.into_iter().map(labels).sum()
}

/// What became of a file.
struct Done {
    names: Names,
    cells: usize,
    layout: Layout,
    notes: Vec<Note>,
    size: [usize; 2],
    planes: usize,
    start: Instant,
}

impl Done {
    fn summary(&self, input: &Path) -> String {
        format!("{:5} cells  {} -> {}", self.cells, input.display(), self.names.first().display())
    }

    fn json(&self, input: &Path) -> Value {
        let exported = json!({
            "outputs": messages::outputs(&self.names),
            "cells": self.cells,
            "planes": self.planes,
            "seconds": messages::round(self.start.elapsed().as_secs_f64()),
        });
        messages::joined(messages::of_file(input, &self.layout, &self.notes, self.size), exported)
    }
}
