//! The planes of a stack that go into one file.

use ndarray::ArrayView2;

use crate::image::Layout;
use crate::{Error, Result};

/// # Errors
/// [`Error::Image`] when there are no planes, a plane has no pixels, planes differ in size or do not fill the axes.
pub(super) fn check(masks: &[ArrayView2<u32>], layout: &Layout) -> Result<()> {
    let size = masks.first().map_or((0, 0), |plane| plane.dim());
    if size.0 == 0 || size.1 == 0 {
        return Err(Error::Image("no labels to write".into()));
    }
    if masks.iter().any(|plane| plane.dim() != size) {
        return Err(Error::Image("planes of different sizes cannot be written to one file".into()));
    }
    if layout.planes() != Some(masks.len()) {
        let reason = format!("{} planes do not fill the axes {}", masks.len(), layout.letters());
        return Err(Error::Image(reason));
    }
    Ok(())
}

/// Whether all axes are time, depth or channels, each at most once: what ImageJ and QuPath know.
pub(super) fn are_known(place: &[(char, usize)]) -> bool {
    let count = |letter| place.iter().filter(|(other, _)| *other == letter).count();
    place.iter().all(|&(letter, _)| "TZC".contains(letter) && count(letter) == 1)
}

/// The index on the axis of this letter; `None` if there is no such axis.
pub(super) fn index(place: &[(char, usize)], letter: char) -> Option<usize> {
    place.iter().find(|(other, _)| *other == letter).map(|&(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Axis;

    #[test]
    fn the_last_axis_is_the_fastest() {
        let axis = |(letter, length)| Axis { letter, length };
        let layout = Layout::default().axes([('T', 2), ('Z', 3)].map(axis).to_vec());
        assert_eq!(layout.place(4), [('T', 1), ('Z', 1)]);
        assert_eq!((index(&layout.place(5), 'Z'), index(&layout.place(5), 'C')), (Some(2), None));
        assert!(are_known(&layout.place(4)) && are_known(&[]));
        assert!(!are_known(&[('T', 0), ('T', 0)]) && !are_known(&[('P', 0)]));
    }
}
