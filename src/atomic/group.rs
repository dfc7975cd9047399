//! Outputs that belong together.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Written, together};
use crate::Result;

/// The outputs of one image: all of them are written before the first gets its name.
///
/// A [`Destination`](super::Destination) that belongs to a group is only written to a temporary file. When all could be written,
/// [`place`](Self::place) gives them their names. When one could not, the group is dropped, and none is there.
///
#[cfg_attr(feature = "files", doc = "```")]
#[cfg_attr(not(feature = "files"), doc = "```ignore")]
/// # let folder = tempfile::tempdir()?;
/// # let (masks_tif, masks_png) = (folder.path().join("masks.tif"), folder.path().join("masks.png"));
/// use flowmask::output::{Destination, Format, Group, save_labels};
/// let masks = ndarray::array![[0_u32, 1], [2, 70_000]];
/// let group = Group::default();
/// save_labels(Destination::new(&masks_tif).group(&group), &[masks.view()], Format::Tif)?;
/// // A PNG cannot hold the label 70,000.
/// assert!(save_labels(Destination::new(&masks_png).group(&group), &[masks.view()], Format::Png).is_err());
/// drop(group);
/// assert!(!masks_tif.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Group(Arc<Mutex<Vec<Written>>>);

impl Group {
    pub(super) fn add(&self, written: Written) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(written);
    }

    /// Gives all outputs their names.
    ///
    /// # Errors
    /// [`Error::Exists`](crate::Error::Exists) when a file that must not be replaced has appeared at one of them; then none gets its name.
    /// [`Error::Write`](crate::Error::Write) when the system refuses one, and those after it have none.
    pub fn place(self) -> Result<()> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.iter().try_for_each(|written| written.to.check())?;
        together(|| all.into_iter().try_for_each(Written::place))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(paths.iter().map(|written| written.to.path())).finish()
    }
}
