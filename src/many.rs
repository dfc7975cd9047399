//! Many files at once: loaded ahead, and given to whichever lane is free.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use crate::backend::Source;
use crate::cuda::DeviceImage;
use crate::lanes::Lane;
use crate::pipeline::Segmented;
use crate::plan::grid::Grid;
use crate::plan::scale::known_scale;
use crate::segmenter::{OnDevice, Segmentation, Segmenter};
use crate::watch::{Progress, Watch};
use crate::{Error, Image, Options, Result};

/// Threads that load files for each lane of a GPU; the processor's threads are busy, and get one.
const LOADERS: usize = 4;

/// What becomes of a file.
type Found<E> = Result<(Vec<Image>, Vec<Segmentation>), E>;

/// A file that was loaded.
struct File {
    index: usize,
    images: Vec<Image>,
}

/// See [`Segmenter::segment_many`].
pub(crate) fn run<F, E>(
    segmenter: &Segmenter,
    files: impl Iterator<Item = F> + Send,
    options: &Options,
    done: &(impl Fn(usize, Found<E>) + Sync),
) where
    F: FnOnce() -> Result<Vec<Image>, E>,
    E: From<Error> + Send,
{
    let lanes = segmenter.parts().0.count();
    let loaders = if lanes == 1 { 1 } else { lanes * LOADERS };
    let files = Mutex::new(files.enumerate());
    let (sender, receiver) = sync_channel(loaders);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        for _ in 0..loaders {
            let (sender, files) = (sender.clone(), &files);
            scope.spawn(move || load(files, &sender, done));
        }
        drop(sender);
        for _ in 0..lanes {
            scope.spawn(|| work(segmenter, &receiver, options, done));
        }
    });
}

/// Loads one file after the other. What cannot be loaded is done.
fn load<F, E>(
    files: &Mutex<impl Iterator<Item = (usize, F)>>,
    loaded: &SyncSender<File>,
    done: &impl Fn(usize, Found<E>),
) where
    F: FnOnce() -> Result<Vec<Image>, E>,
{
    let next = || files.lock().unwrap_or_else(|e| e.into_inner()).next();
    while let Some((index, file)) = next() {
        match file() {
            Ok(images) => {
                if loaded.send(File { index, images }).is_err() {
                    return;
                }
            }
            Err(error) => done(index, Err(error)),
        }
    }
}

/// Takes as many files as fill the device, and segments them.
fn work<E: From<Error>>(
    segmenter: &Segmenter,
    loaded: &Mutex<Receiver<File>>,
    options: &Options,
    done: &impl Fn(usize, Found<E>),
) {
    let (lanes, pool) = segmenter.parts();
    let mut taken = lanes.take();
    let lane = taken.lane();
    let scale = known_scale(segmenter.model().diam_mean(), options.diameter);
    while let Some(files) = take(loaded, lane, scale, options) {
        let images: Vec<Source> = files.iter().flat_map(|file| &file.images).map(Source::Host).collect();
        let mut results = lane.segment(pool, &images, options, &mut Watch::none()).into_iter();
        for File { index, images } in files {
            let results: Vec<Result<Segmented>> = results.by_ref().take(images.len()).collect();
            let shaped =
                results.into_iter().zip(&images).map(|(found, image)| Ok(found?.shaped(image.size())));
            let found: Result<Vec<Segmentation>> = shaped.collect();
            done(index, found.map(|found| (images, found)).map_err(E::from));
        }
    }
}

/// Waits for a file, and takes more of those that are there until they have as many tiles as the lane wants.
fn take(loaded: &Mutex<Receiver<File>>, lane: &Lane, scale: f64, options: &Options) -> Option<Vec<File>> {
    let loaded = loaded.lock().unwrap_or_else(|e| e.into_inner());
    let mut files = vec![loaded.recv().ok()?];
    let tiles = |file: &File| {
        file.images.iter().map(|image| Grid::count_of(image.size(), scale, options)).sum::<usize>()
    };
    let mut have = tiles(&files[0]);
    while have < lane.tiles(options) {
        match loaded.try_recv() {
            Ok(file) => {
                have += tiles(&file);
                files.push(file);
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    Some(files)
}

/// See [`Segmenter::segment_on_device`].
pub(crate) fn on_device(
    segmenter: &Segmenter,
    ordinal: usize,
    images: &[DeviceImage],
    options: &Options,
    progress: &mut Progress,
) -> Result<Vec<Result<OnDevice>>> {
    let (lanes, pool) = segmenter.parts();
    let mut taken = lanes.take_on(ordinal)?;
    let lane = taken.lane();
    let (scale, mut found) =
        (known_scale(segmenter.model().diam_mean(), options.diameter), Vec::with_capacity(images.len()));
    let mut go_on = true;
    while found.len() < images.len() {
        if !go_on {
            found.push(Err(Error::Cancelled));
            continue;
        }
        let (first, mut have) = (found.len(), 0);
        let fits = |image: &&DeviceImage| {
            let fits = have < lane.tiles(options);
            have += Grid::count_of(image.size(), scale, options);
            fits
        };
        let sources: Vec<Source> = images[first..].iter().take_while(fits).map(Source::Device).collect();
        let mut part = |done: f64| {
            go_on = progress((first as f64 + done * sources.len() as f64) / images.len() as f64);
            go_on
        };
        let results = lane.segment(pool, &sources, options, &mut Watch::new(&mut part));
        found.extend(results.into_iter().zip(&sources).map(|(result, image)| {
            let result = result?;
            let given = result.given;
            let segmentation = result.shaped(image.size());
            let cells = given.map_or(segmentation.cells(), |cells| cells as usize);
            Ok(OnDevice { cells, segmentation })
        }));
    }
    Ok(found)
}
