//! How many files of a run are done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Progress, Watch};

/// Adds up what the lanes have done, and asks the caller whether to go on.
pub(super) struct Tally<'a> {
    stop: Arc<AtomicBool>,
    /// For a caller who wants no progress there is nothing to count.
    counts: Option<Mutex<Counts<'a>>>,
}

struct Counts<'a> {
    progress: &'a mut Progress<'a>,
    finished: usize,
    /// For each lane, the part of its present files that is done, in files.
    parts: Vec<f64>,
}

impl<'a> Tally<'a> {
    pub fn new(progress: Option<&'a mut Progress<'a>>, lanes: usize) -> Self {
        let counts = progress.map(|progress| Counts { progress, finished: 0, parts: vec![0.0; lanes] });
        Tally { stop: Arc::default(), counts: counts.map(Mutex::new) }
    }

    /// Whether the caller wants to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The watch of a lane; it calls `part`, which calls [`Tally::at`].
    pub fn watch<'b>(&self, part: &'b mut Progress<'b>) -> Watch<'b> {
        match self.counts {
            Some(_) => Watch::sharing(part, self.stop.clone()),
            None => Watch::none(),
        }
    }

    /// Notes how many of its present files a lane has done. Returns whether to go on.
    pub fn at(&self, lane: usize, files: f64) -> bool {
        self.change(|counts| counts.parts[lane] = files);
        !self.stopped()
    }

    /// Adds files that are finished: all that the lane had, or files that no lane had.
    pub fn finish(&self, lane: Option<usize>, files: usize) {
        self.change(|counts| {
            counts.finished += files;
            if let Some(lane) = lane {
                counts.parts[lane] = 0.0;
            }
        });
    }

    /// Calls the caller's function again.
    pub fn report(&self) {
        self.change(|_| ());
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let Some(counts) = &self.counts else { return };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut counts);
        let done = counts.finished as f64 + counts.parts.iter().sum::<f64>();
        if !self.stopped() && !(counts.progress)(done) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}
