//! Images one by one: while one is written, the next is computed, and the one after that is read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use flowmask::{Image, Options, Segmentation, Segmenter};

use super::{Run, lock};

/// Results of more pixels are written before the next image begins, whose memory was planned without them.
const LARGE: usize = 1 << 22;

/// What was found in a file.
type Found = anyhow::Result<(Vec<Image>, Vec<Segmentation>)>;

/// Segments all files. An error, which stops the run, is one of printing.
pub fn run(run: &Run, segmenter: &Segmenter, options: &Options) -> anyhow::Result<()> {
    let stop = AtomicBool::new(false);
    let fault = Mutex::new(None);
    let write = |(i, found): (usize, Found)| match run.done(&run.files[i], found) {
        Ok(written) => written.into_iter().for_each(|found| segmenter.recycle(found)),
        Err(error) => {
            // Nothing can be printed. Errors of an image are printed, and the next go on.
            lock(&fault).get_or_insert(error);
            stop.store(true, Ordering::Relaxed);
        }
    };
    let loads = run.files.iter().map(|file| || run.load(file));
    let mut progress = |images| {
        lock(&run.messages).progress(images);
        !stop.load(Ordering::Relaxed)
    };
    let segmented = std::thread::scope(|scope| {
        // No result waits: a device goes on when its last one is being written.
        let (sender, receiver) = sync_channel(0);
        scope.spawn(|| receiver.into_iter().for_each(write));
        segmenter.segment_many_with_progress(loads, options, &mut progress, move |i, found| {
            match is_large(&found) {
                true => write((i, found)),
                // The writer lives as long as the sender.
                false => sender.send((i, found)).unwrap_or_default(),
            }
        })
    });
    match lock(&fault).take() {
        Some(error) => Err(error),
        None => Ok(segmented?),
    }
}

fn is_large(found: &Found) -> bool {
    let pixels = |(images, _): &(Vec<Image>, Vec<Segmentation>)| -> usize {
        images.iter().map(|image| image.height() * image.width()).sum()
    };
    found.as_ref().is_ok_and(|found| pixels(found) > LARGE)
}
