//! Writer of outlines as text.

use std::io::Write;

use ndarray::ArrayView2;

use super::{batches, contours, planes};
use crate::Result;
use crate::atomic::{Destination, write_atomic};
use crate::image::Layout;

/// Writes the outlines of the cells in `masks`, `[height, width]` with 0 for background, as the text that cellpose writes
/// with `--save_txt`: a line `x,y,x,y,…` for each cell, by ascending label, with the points of [`contours`](super::contours()).
/// The line of a cell without an outline is empty. Cellpose's graphical program and its script for ImageJ read it. A text
/// has no place for a mark, so that none counts as [flowmask's own](super::is_own).
///
/// # Errors
/// [`Error::Image`](crate::Error::Image) when there are no pixels, [`Error::Write`](crate::Error::Write) when the file cannot be
/// written, [`Error::Exists`](crate::Error::Exists) when one there must not be replaced.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cells_outlines.txt");
/// let masks = ndarray::array![[0, 1, 1, 1], [0, 1, 1, 1]];
/// flowmask::output::save_outline_text(&path, masks.view())?;
/// assert_eq!(std::fs::read_to_string(&path)?, "1,0,1,1,2,1,3,1,3,0,2,0\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_outline_text(to: impl Into<Destination>, masks: ArrayView2<u32>) -> Result<()> {
    planes::check(&[masks], &Layout::default())?;
    let contours = contours(masks);
    let line = |contour: &super::Contour| {
        let list = serde_json::to_string(contour.points.as_flattened())?;
        Ok(list.trim_matches(['[', ']']).to_owned() + "\n")
    };
    write_atomic(to, |writer| batches::in_order(&contours, line, |line| writer.write_all(line.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use ndarray::{Array2, array};

    #[test]
    fn cells_without_an_outline_have_an_empty_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outlines.txt");
        save_outline_text(&path, array![[9, 9, 0, 4, 4, 4], [0, 0, 0, 4, 4, 4]].view()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "3,0,3,1,4,1,5,1,5,0,4,0\n\n");
        let error = save_outline_text(&path, Array2::zeros((0, 3)).view()).unwrap_err();
        assert!(matches!(error, Error::Image(_)), "{error}");
    }
}
