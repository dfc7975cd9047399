//! Progress: how much of a segmentation is done, and whether to go on.

use crate::{Error, Result};

/// A function that is called with the part of a segmentation that is done, from 0 to 1. It returns whether to go on.
pub type Progress<'a> = dyn FnMut(f64) -> bool + Send + 'a;

/// Reports progress to the caller, and asks it whether to go on.
pub(crate) struct Watch<'a> {
    progress: Option<&'a mut Progress<'a>>,
    /// The present step reaches from `from` to `to` of the whole segmentation.
    from: f64,
    to: f64,
}

impl<'a> Watch<'a> {
    /// For a caller that wants no progress.
    pub fn none() -> Self {
        Watch { progress: None, from: 0.0, to: 1.0 }
    }

    pub fn new(progress: &'a mut Progress<'a>) -> Self {
        Watch { progress: Some(progress), from: 0.0, to: 1.0 }
    }

    /// Begins the step that reaches from `from` to `to` of the whole segmentation.
    pub fn part(&mut self, from: f64, to: f64) {
        (self.from, self.to) = (from, to);
    }

    /// Reports that `done` of the `of` units of the present step are done.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the caller wants to stop.
    pub fn at(&mut self, done: usize, of: usize) -> Result<()> {
        let done = self.from + (self.to - self.from) * done as f64 / of.max(1) as f64;
        let go_on = self.progress.as_mut().is_none_or(|progress| progress(done));
        if go_on { Ok(()) } else { Err(Error::Cancelled) }
    }
}
