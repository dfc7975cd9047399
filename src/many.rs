//! Many files at once: threads load files ahead, and each lane takes the next ones when it is free.

mod tally;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use crate::lanes::{Lane, Lanes};
use crate::pipeline::Segmented;
use crate::plan::grid::Shape;
use crate::plan::memory;
use crate::segmentation::Segmentation;
use crate::watch::{Progress, Watch};
use crate::{Device, Error, Image, Options, Result};
use tally::Tally;

/// Threads that load files, for each lane, when there are several. A single lane gets one: on the processor, the other
/// threads are busy.
const LOADERS: usize = 4;

/// How long a lane waits for a file before it asks whether to go on.
const PATIENCE: Duration = Duration::from_millis(40);

/// The images of a file and what was found in them, or why not.
type Found<E> = Result<(Vec<Image>, Vec<Segmentation>), E>;

/// A file that was loaded.
struct File {
    index: usize,
    images: Vec<Image>,
}

/// What all threads of a run share.
struct Run<'a, 'p, D> {
    options: &'a Options,
    /// The scale at which the network runs, as far as it is known before.
    scale: f64,
    /// How many files lie in memory beside those that a lane works on.
    ahead: u64,
    done: &'a D,
    tally: Tally<'p>,
}

/// See [`Segmenter::segment_many_with_progress`](crate::Segmenter::segment_many_with_progress); `scale` is that of the
/// images, as far as it is known before the network has run.
pub(crate) fn run<'a, F, E>(
    lanes: &Lanes,
    scale: f64,
    files: impl Iterator<Item = F> + Send,
    options: &Options,
    progress: Option<&'a mut Progress<'a>>,
    done: &(impl Fn(usize, Found<E>) + Sync),
) -> Result<()>
where
    F: FnOnce() -> Result<Vec<Image>, E>,
    E: From<Error> + Send,
{
    let count = lanes.devices().len();
    let loaders = if count == 1 { 1 } else { count * LOADERS };
    // Of one lane: a file that is loaded and waits, and one that its loader holds.
    let ahead = files.size_hint().1.map_or(2, |files| files.saturating_sub(1)).min(2) as u64;
    let run = Run { options, scale, ahead, done, tally: Tally::new(progress, count) };
    let files = Mutex::new(files.enumerate());
    let (sender, receiver) = sync_channel(loaders);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        for _ in 0..loaders {
            let (sender, files, run) = (sender.clone(), &files, &run);
            scope.spawn(move || run.load(files, &sender));
        }
        drop(sender);
        for lane in 0..count {
            let (receiver, run) = (&receiver, &run);
            scope.spawn(move || run.work(lanes, lane, receiver));
        }
    });
    if run.tally.stopped() { Err(Error::Cancelled) } else { Ok(()) }
}

impl<D: Sync> Run<'_, '_, D> {
    /// Loads one file after the other. For a file that cannot be loaded, `done` is called at once.
    fn load<F, E>(&self, files: &Mutex<impl Iterator<Item = (usize, F)>>, loaded: &SyncSender<File>)
    where
        F: FnOnce() -> Result<Vec<Image>, E>,
        D: Fn(usize, Found<E>),
    {
        let next = || files.lock().unwrap_or_else(|e| e.into_inner()).next();
        while !self.tally.stopped()
            && let Some((index, file)) = next()
        {
            match file() {
                Ok(images) => {
                    if loaded.send(File { index, images }).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    (self.done)(index, Err(error));
                    self.tally.finish(None, 1);
                }
            }
        }
    }

    /// Takes as many files as fill the device, segments them, and repeats until there are no more.
    fn work<E: From<Error>>(&self, lanes: &Lanes, number: usize, loaded: &Mutex<Receiver<File>>)
    where
        D: Fn(usize, Found<E>),
    {
        let mut taken = lanes.take();
        while let Some(files) = self.take(loaded, taken.lane()) {
            if self.tally.stopped() {
                // The files are taken all the same, since a loader may wait for its file to be taken.
                continue;
            }
            let count = files.len();
            let mut part = |part| self.tally.at(number, part * count as f64);
            let watch = self.tally.watch(&mut part);
            let images: Vec<&Image> = files.iter().flat_map(|file| &file.images).collect();
            let options = self.beside(&images, taken.lane().device());
            let mut results = taken.segment(&images, &options, &watch).into_iter();
            for File { index, images } in files {
                self.finish(index, results.by_ref().take(images.len()).collect(), images);
            }
            self.tally.finish(Some(number), count);
        }
    }

    /// The options for images beside which other files lie in the host's memory. Their sizes are not known yet, so they
    /// are taken to be as large.
    fn beside(&self, images: &[&Image], device: Device) -> Options {
        let mut options = self.options.clone();
        if device == Device::Cpu {
            let pixels =
                |image: &&Image| memory::pixels(image.size(), image.channels(), image.pixels().kind());
            let others = self.ahead * images.iter().map(pixels).sum::<u64>();
            options.memory = options.memory.map(|memory| memory.saturating_sub(others));
        }
        options
    }

    /// Hands what was found in a file to the caller.
    fn finish<E: From<Error>>(&self, index: usize, results: Vec<Result<Segmented>>, images: Vec<Image>)
    where
        D: Fn(usize, Found<E>),
    {
        let found = results.into_iter().zip(&images);
        let found: Result<Vec<Segmentation>> =
            found.map(|(found, image)| Ok(found?.into_segmentation(image.size()))).collect();
        if !matches!(found, Err(Error::Cancelled)) {
            (self.done)(index, found.map(|found| (images, found)).map_err(E::from));
        }
    }

    /// Waits for one file, then takes further files that are already loaded, until they have as many tiles as the lane
    /// wants. Nothing when all files are done.
    fn take(&self, loaded: &Mutex<Receiver<File>>, lane: &dyn Lane) -> Option<Vec<File>> {
        let loaded = loaded.lock().unwrap_or_else(|e| e.into_inner());
        let mut files = vec![self.wait(&loaded)?];
        let tiles = |file: &File| {
            let images = file.images.iter();
            images.map(|image| Shape::at_scale(image.size(), self.scale, self.options).count()).sum::<u64>()
        };
        let mut have = tiles(&files[0]);
        while have < lane.tiles(self.options) as u64 {
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

    fn wait(&self, loaded: &Receiver<File>) -> Option<File> {
        loop {
            match loaded.recv_timeout(PATIENCE) {
                Ok(file) => return Some(file),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.tally.report(),
            }
        }
    }
}
