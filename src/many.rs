//! Many files at once: threads load files ahead, and each lane takes the next ones when it is free.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use crate::lanes::{Lane, Lanes};
use crate::pipeline::Segmented;
use crate::plan::grid::Shape;
use crate::plan::memory;
use crate::segmentation::Segmentation;
use crate::watch::Watch;
use crate::{Device, Error, Image, Options, Result};

/// Threads that load files, for each lane, when there are several. A single lane gets one: on the processor, the other
/// threads are busy.
const LOADERS: usize = 4;

/// The images of a file and what was found in them, or why not.
type Found<E> = Result<(Vec<Image>, Vec<Segmentation>), E>;

/// A file that was loaded.
struct File {
    index: usize,
    images: Vec<Image>,
}

/// See [`Segmenter::segment_many`](crate::Segmenter::segment_many); `scale` is that of the images, as far as it is
/// known before the network has run.
pub(crate) fn run<F, E>(
    lanes: &Lanes,
    scale: f64,
    files: impl Iterator<Item = F> + Send,
    options: &Options,
    done: &(impl Fn(usize, Found<E>) + Sync),
) where
    F: FnOnce() -> Result<Vec<Image>, E>,
    E: From<Error> + Send,
{
    let count = lanes.devices().len();
    let loaders = if count == 1 { 1 } else { count * LOADERS };
    // Of one lane: a file that is loaded and waits, and one that its loader holds.
    let ahead = files.size_hint().1.map_or(2, |files| files.saturating_sub(1)).min(2) as u64;
    let files = Mutex::new(files.enumerate());
    let (sender, receiver) = sync_channel(loaders);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        for _ in 0..loaders {
            let (sender, files) = (sender.clone(), &files);
            scope.spawn(move || load(files, &sender, done));
        }
        drop(sender);
        for _ in 0..count {
            scope.spawn(|| work(lanes, scale, ahead, &receiver, options, done));
        }
    });
}

/// Loads one file after the other. For a file that cannot be loaded, `done` is called at once.
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

/// Takes as many files as fill the device, segments them, and repeats until there are no more.
fn work<E: From<Error>>(
    lanes: &Lanes,
    scale: f64,
    ahead: u64,
    loaded: &Mutex<Receiver<File>>,
    options: &Options,
    done: &impl Fn(usize, Found<E>),
) {
    let mut taken = lanes.take();
    let lane = taken.lane();
    while let Some(files) = take(loaded, lane, scale, options) {
        let images: Vec<&Image> = files.iter().flat_map(|file| &file.images).collect();
        let options = beside(options, ahead, &images, lane.device());
        let mut results = lane.segment(&images, &options, &mut Watch::none()).into_iter();
        for File { index, images } in files {
            let results: Vec<Result<Segmented>> = results.by_ref().take(images.len()).collect();
            let found = results.into_iter().zip(&images);
            let found: Result<Vec<Segmentation>> =
                found.map(|(found, image)| Ok(found?.into_segmentation(image.size()))).collect();
            done(index, found.map(|found| (images, found)).map_err(E::from));
        }
    }
}

/// The options for images beside which `ahead` other files lie in the host's memory. Their sizes are not known yet, so
/// they are taken to be as large.
fn beside(options: &Options, ahead: u64, images: &[&Image], device: Device) -> Options {
    let mut options = options.clone();
    if device == Device::Cpu {
        let pixels = |image: &&Image| memory::pixels(image.size(), image.channels(), image.pixels().kind());
        let others = ahead * images.iter().map(pixels).sum::<u64>();
        options.memory = options.memory.map(|memory| memory.saturating_sub(others));
    }
    options
}

/// Waits for one file, then takes further files that are already loaded, until they have as many tiles as the lane
/// wants. Nothing when all files are done.
fn take(loaded: &Mutex<Receiver<File>>, lane: &dyn Lane, scale: f64, options: &Options) -> Option<Vec<File>> {
    let loaded = loaded.lock().unwrap_or_else(|e| e.into_inner());
    let mut files = vec![loaded.recv().ok()?];
    let tiles = |file: &File| {
        file.images.iter().map(|image| Shape::at_scale(image.size(), scale, options).count()).sum::<u64>()
    };
    let mut have = tiles(&files[0]);
    while have < lane.tiles(options) as u64 {
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
