//! How far the work is, and whether to go on.

use crate::{Error, Result};

/// Is told the part of the work that is done, from 0 to 1, and says whether to go on.
pub type Progress<'a> = dyn FnMut(f64) -> bool + Send + 'a;

/// A part of the work on its way to who asked for progress.
pub(crate) struct Watch<'a> {
    progress: Option<&'a mut Progress<'a>>,
    /// Of the whole work, what this part is.
    from: f64,
    to: f64,
}

impl<'a> Watch<'a> {
    /// Of nobody.
    pub fn none() -> Self {
        Watch { progress: None, from: 0.0, to: 1.0 }
    }

    pub fn new(progress: &'a mut Progress<'a>) -> Self {
        Watch { progress: Some(progress), from: 0.0, to: 1.0 }
    }

    /// The work goes on with the part from `from` to `to`.
    pub fn part(&mut self, from: f64, to: f64) {
        (self.from, self.to) = (from, to);
    }

    /// So much of the part is done.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the work is no longer wanted.
    pub fn at(&mut self, done: usize, of: usize) -> Result<()> {
        let done = self.from + (self.to - self.from) * done as f64 / of.max(1) as f64;
        let go_on = self.progress.as_mut().is_none_or(|progress| progress(done));
        if go_on { Ok(()) } else { Err(Error::Cancelled) }
    }
}
