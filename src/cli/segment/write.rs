//! What was found in an image becomes its outputs.

use std::time::{Duration, Instant};

use flowmask::measure::Sums;
use flowmask::{Image, Options, Segmentation, output};
use ndarray::{ArrayView2, ArrayView3};

use super::{File, Part, Restoring, Run, lock, restored};
use crate::cli::cells::Cells;
use crate::cli::messages::{Done, Stages};
use crate::cli::verbose;

/// What was found in an image of a file.
pub struct Found<'a> {
    /// The labels of each plane.
    pub masks: Vec<ArrayView2<'a, u32>>,
    /// The flows of each plane, if they are wanted.
    pub flows: Vec<ArrayView3<'a, f32>>,
    pub cellprob: Vec<ArrayView2<'a, f32>>,
    /// What a GPU summed over the cells of each plane; empty if nothing.
    pub sums: Vec<&'a [Sums]>,
    pub cells: usize,
    /// How many planes have the same labels for the same cells.
    pub together: usize,
    /// The mean of the planes, in pixels.
    pub diameter: f64,
    pub segmenting: Duration,
    /// With `--verbose`: how it was cut.
    pub about: Option<String>,
}

impl<'a> Found<'a> {
    /// Of planes that were segmented one by one.
    fn of_planes(planes: &[Image], found: &'a [Segmentation], verbose: Option<&(f32, Options)>) -> Self {
        Found {
            masks: found.iter().map(|found| found.masks.view()).collect(),
            flows: found.iter().map(|found| found.flows.view()).collect(),
            cellprob: found.iter().map(|found| found.cellprob.view()).collect(),
            sums: found.iter().map(|found| &found.sums[..]).collect(),
            cells: found.iter().map(Segmentation::cells).sum(),
            together: 1,
            diameter: found.iter().map(|found| found.diameter).sum::<f64>() / planes.len().max(1) as f64,
            segmenting: Duration::from_secs_f64(found.iter().map(|found| found.seconds).sum()),
            about: verbose.map(|(diam_mean, options)| verbose::image(planes, found, *diam_mean, options)),
        }
    }
}

impl Run {
    /// Writes the outputs of a file, or prints why there are none. Returns what is not needed any more. An error, which
    /// stops the run, is one of printing.
    pub fn done(
        &self,
        file: &File,
        found: anyhow::Result<(Vec<Image>, Vec<Segmentation>)>,
    ) -> anyhow::Result<Vec<Segmentation>> {
        let (all_planes, mut all_found) = match found {
            Ok(found) => found,
            Err(error) => {
                lock(&self.messages).failed(&file.image, &file.guessed(error))?;
                return Ok(Vec::new());
            }
        };
        let (mut planes, mut found) = (&all_planes[..], &mut all_found[..]);
        for part in file.parts.get().into_iter().flatten() {
            let (own, others) = planes.split_at(part.planes.min(planes.len()));
            let (own_found, other_found) = found.split_at_mut(own.len().min(found.len()));
            match self.stitched(file, part, own, own_found) {
                Ok(done) => lock(&self.messages).done(&file.image, &done)?,
                Err(error) => lock(&self.messages).failed(&file.image, &error)?,
            }
            (planes, found) = (others, other_found);
        }
        Ok(all_found)
    }

    /// Joins the masks of the planes of each volume, if that is wanted, and writes the outputs of an image.
    fn stitched(
        &self,
        file: &File,
        part: &Part,
        planes: &[Image],
        found: &mut [Segmentation],
    ) -> anyhow::Result<Done> {
        let start = Instant::now();
        let mut cells = None;
        if let (Some(stitching), Some(depth)) = (&self.stitching, part.depth) {
            let volumes = found.chunks_mut(depth).map(|volume| stitching.finish(volume));
            cells = Some(volumes.sum::<Result<u32, _>>()? as usize);
        }
        let mut found = Found::of_planes(planes, found, self.verbose.as_ref());
        found.cells = cells.unwrap_or(found.cells);
        found.together = part.depth.unwrap_or(1);
        self.write(file, part, planes, found, start)
    }

    pub fn write(
        &self,
        file: &File,
        part: &Part,
        planes: &[Image],
        found: Found,
        start: Instant,
    ) -> anyhow::Result<Done> {
        let Part { names, stack, .. } = part;
        let shown = if part.originals.is_empty() { planes } else { &part.originals };
        let resized;
        let Found { mut masks, flows, cellprob, sums, mut cells, together, mut diameter, segmenting, about } =
            found;
        let has_masks = masks.iter().any(|plane| !plane.is_empty());
        if let Some(size) = part.size {
            diameter /= self.restoring.as_ref().map_or(1.0, Restoring::ratio);
            if has_masks {
                (resized, cells) = restored::at_size(&masks, size, together);
                masks = resized.iter().map(|plane| plane.view()).collect();
            }
        }
        let size = part.size.or(planes.first().map(Image::size)).unwrap_or_default();
        let (file_name, layout, channels) = (&file.image, &stack.layout, self.channels);
        let (images, masks) = (shown, &masks[..]);
        let all = Cells {
            file: file_name,
            images,
            masks,
            flows,
            cellprob,
            sums,
            layout,
            volumes: together > 1,
            size,
            diameter,
            channels,
        };
        // Of several outputs, none is there unless all are.
        let mut names = names.clone();
        if let Some(original) = &self.original {
            let (kept, note) = original.kept(&names, masks.len(), cells);
            note.iter()
                .for_each(|note| lock(&self.messages).note(&format!("{}: {note}", file.image.display())));
            names = kept;
        }
        let group = output::Group::default();
        self.writer.write(&all, &names, |path| Ok(lock(&self.outputs).destination(path)?.group(&group)))?;
        group.place()?;
        if let Some(about) = about {
            lock(&self.messages).note(&format!("{}: {about}", file.image.display()));
        }
        let (height, width) = size;
        Ok(Done {
            names,
            cells: has_masks.then_some(cells),
            series: stack.series,
            planes: planes.len(),
            layout: stack.layout.clone(),
            notes: stack.notes.clone(),
            height,
            width,
            diameter,
            diameter_from: self.diameter,
            images: file.parts.get().map_or(1, Vec::len),
            scale: if diameter > 0.0 { self.diam_mean / diameter } else { 1.0 },
            stages: Stages { read: *lock(&file.loading), segment: segmenting, write: start.elapsed() },
        })
    }
}
