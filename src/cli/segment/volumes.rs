//! `flowmask segment --do-3d`: the volumes of one file after the other.

use std::time::{Duration, Instant};

use flowmask::image::Layout;
use flowmask::{Error, Image, Options, Segmenter, VolumeSegmentation};
use ndarray::Axis;

use super::write::Found;
use super::{File, Part, Run, lock};
use crate::cli::messages::Done;
use crate::cli::verbose;

/// Segments the volumes of all files. An error, which stops the run, is one of printing.
pub fn run(run: &Run, segmenter: &Segmenter, options: &Options) -> anyhow::Result<()> {
    for (i, file) in run.files.iter().enumerate() {
        match run.load(file) {
            Ok(planes) => of_file(run, file, &planes, i, segmenter, options)?,
            Err(error) => lock(&run.messages).failed(&file.image, &error)?,
        }
        lock(&run.messages).progress((i + 1) as f64);
    }
    Ok(())
}

/// Segments the images of a file, number `i`, and writes their masks, or prints why there are none.
fn of_file(
    run: &Run,
    file: &File,
    planes: &[Image],
    i: usize,
    segmenter: &Segmenter,
    options: &Options,
) -> anyhow::Result<()> {
    let mut planes = planes;
    let parts = file.parts.get().map(Vec::as_slice).unwrap_or_default();
    for (p, part) in parts.iter().enumerate() {
        let (own, others) = planes.split_at(part.planes.min(planes.len()));
        planes = others;
        let progress = |done: f64| {
            run.segmented(i, (p as f64 + done) / parts.len() as f64);
        };
        match of_part(part, own, segmenter, options, progress)
            .and_then(|volumes| write(run, file, part, own, &volumes, options))
        {
            Ok(done) => lock(&run.messages).done(&file.image, &done)?,
            Err(error) => lock(&run.messages).failed(&file.image, &file.guessed(error))?,
        }
    }
    Ok(())
}

/// A volume's planes in the file, and what was found in it.
type Volume = (Vec<usize>, VolumeSegmentation);

/// Segments the volumes of an image: one, or one for each time point.
fn of_part(
    part: &Part,
    planes: &[Image],
    segmenter: &Segmenter,
    options: &Options,
    progress: impl Fn(f64) + Sync,
) -> anyhow::Result<Vec<Volume>> {
    let volumes = part.stack.layout.volumes()?;
    let count = volumes.len();
    let segment = |(v, places): (usize, Vec<usize>)| {
        let mut progress = |done: f64| {
            progress((v as f64 + done) / count as f64);
            true
        };
        let own = places.iter().map(|&place| &planes[place]);
        let found = segmenter.segment_volume_with_progress(own, options, &mut progress);
        Ok((places, found.map_err(|error| in_volume(error, &part.stack.layout, v))?))
    };
    volumes.into_iter().enumerate().map(segment).collect()
}

/// Tells of which volume of an image an error is, where there are several: at which time point, or place on another axis.
pub fn in_volume(error: Error, layout: &Layout, volume: usize) -> Error {
    let Error::Image(reason) = error else { return error };
    let places = layout.of_volumes().place(volume).into_iter();
    let places: Vec<String> = places.map(|(letter, index)| format!("{letter} {index}")).collect();
    Error::Image(if places.is_empty() { reason } else { format!("at {}: {reason}", places.join(", ")) })
}

/// A view of each plane, where there is one.
fn planes_of<'a, V>(
    places: &[(&usize, usize, &'a VolumeSegmentation)],
    view: impl Fn(&'a VolumeSegmentation, usize) -> Option<V>,
) -> Vec<V> {
    places.iter().filter_map(|&(_, z, found)| view(found, z)).collect()
}

fn write(
    run: &Run,
    file: &File,
    part: &Part,
    planes: &[Image],
    volumes: &[Volume],
    options: &Options,
) -> anyhow::Result<Done> {
    let start = Instant::now();
    let mut places: Vec<_> = volumes
        .iter()
        .flat_map(|(places, found)| places.iter().enumerate().map(move |(z, place)| (place, z, found)))
        .collect();
    places.sort_by_key(|(place, ..)| **place);
    let about = run
        .verbose
        .as_ref()
        .map(|(diam_mean, _)| verbose::volumes(volumes.iter().map(|(_, found)| found), *diam_mean, options));
    let seconds = volumes.iter().map(|(_, found)| found.seconds).sum();
    let found = Found {
        masks: planes_of(&places, |found, z| {
            (z < found.masks.dim().0).then(|| found.masks.index_axis(Axis(0), z))
        }),
        flows: planes_of(&places, |found, z| {
            (z < found.flows.dim().1).then(|| found.flows.index_axis(Axis(1), z))
        }),
        cellprob: planes_of(&places, |found, z| {
            (z < found.cellprob.dim().0).then(|| found.cellprob.index_axis(Axis(0), z))
        }),
        sums: Vec::new(),
        cells: volumes.iter().map(|(_, found)| found.cells()).sum(),
        together: planes.len() / volumes.len().max(1),
        diameter: volumes.first().map_or(0.0, |(_, found)| found.diameter),
        segmenting: Duration::from_secs_f64(seconds),
        about,
    };
    run.write(file, part, planes, found, start)
}
