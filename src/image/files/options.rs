//! How the axes of a file are to be understood.

use crate::{Error, Result};

/// What a file does not say itself, or says wrongly: which of its axes is which, and which of its images is wanted.
///
/// Axes are those of the whole array as tifffile and NumPy show it: first the axes over which the pages of a TIFF run,
/// then rows and columns, then the samples of a pixel if there are several (before the rows if each sample has a plane
/// of its own). Numbers of axes count from 0, negative ones from the end.
///
/// ```no_run
/// use flowmask::image::{ReadOptions, read_with};
/// // Six pages that are the channels of one picture.
/// let options = ReadOptions::default().channel_axis(Some(0));
/// let images = read_with("six.tif".as_ref(), &options)?;
/// assert_eq!(images[0].planes[0].channels(), 6);
/// # Ok::<(), flowmask::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// A letter for each axis, slowest first, such as `TZCYX` or `YXC`. `Y`, `X` and either `C` or `S` (channels), `Z`
    /// and `T` have their meaning; planes run over all other letters too. This overrules what the file says.
    pub axes: Option<String>,
    /// The axis of the channels. This overrules what the file says of that axis.
    pub channel_axis: Option<isize>,
    /// The axis of depth. This overrules what the file says of that axis.
    pub z_axis: Option<isize>,
    /// Which image of a file that has several, counted from 1; `None` takes all.
    pub series: Option<usize>,
    /// The most memory for the content of a file, and for the pixels of its images, in bytes each; `None` takes what is
    /// free.
    pub memory: Option<u64>,
}

crate::options::setters! {
    ReadOptions:
    axes: Option<String>,
    channel_axis: Option<isize>,
    z_axis: Option<isize>,
    series: Option<usize>,
    memory: Option<u64>,
}

impl ReadOptions {
    /// Checks all that does not depend on a file.
    ///
    /// # Errors
    /// [`Error::Option`] when `axes` has other characters than letters, a letter twice, or no `Y` or `X`; when `axes`
    /// is given together with `channel_axis` or `z_axis`; when both of these are the same axis; when `series` is 0.
    pub fn check(&self) -> Result<()> {
        if let Some(axes) = &self.axes {
            check_letters(axes).map_err(|reason| Error::option("axes", reason))?;
            if self.channel_axis.is_some() || self.z_axis.is_some() {
                return Err(Error::option("axes", "says already which axis is the channels or z"));
            }
        }
        if self.z_axis.is_some() && self.z_axis == self.channel_axis {
            return Err(Error::option("z_axis", "is the same axis as channel_axis"));
        }
        match self.series {
            Some(0) => Err(Error::option("series", "images are counted from 1")),
            _ => Ok(()),
        }
    }

    /// Whether an axis is named or placed.
    pub(super) fn names_axes(&self) -> bool {
        self.axes.is_some() || self.channel_axis.is_some() || self.z_axis.is_some()
    }

    /// The letters of `axes` in upper case.
    pub(super) fn letters(&self) -> Option<Vec<char>> {
        Some(self.axes.as_ref()?.chars().map(|letter| letter.to_ascii_uppercase()).collect())
    }
}

fn check_letters(axes: &str) -> Result<(), String> {
    let upper = axes.to_uppercase();
    if let Some(wrong) = upper.chars().find(|letter| !letter.is_ascii_uppercase()) {
        return Err(format!("{} is no letter of an axis", wrong.escape_debug()));
    }
    let times = |letter| upper.chars().filter(|&other| other == letter).count();
    if let Some(letter) = upper.chars().find(|&letter| times(letter) > 1) {
        return Err(format!("{upper} has the axis {letter} twice"));
    }
    match "YX".chars().find(|&letter| times(letter) == 0) {
        Some(letter) => Err(format!("{upper} has no axis {letter}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_letters_with_rows_and_columns() {
        let check = |axes: &str| ReadOptions::default().axes(Some(axes.into())).check();
        for good in ["YX", "tzcyx", "YXC", "QPCYXS"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, reason) in [
            ("", "no axis Y"),
            ("ZY", "no axis X"),
            ("YXY", "Y twice"),
            ("ZY X", "no letter"),
            ("YX\u{1b}", "\\u{1b}"),
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.starts_with("option axes: ") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        let options = ReadOptions::default();
        assert!(options.clone().axes(Some("YXC".into())).channel_axis(Some(2)).check().is_err());
        assert!(options.clone().channel_axis(Some(-1)).z_axis(Some(-1)).check().is_err());
        assert!(options.clone().channel_axis(Some(0)).z_axis(Some(1)).check().is_ok());
        assert!(options.series(Some(0)).check().is_err());
    }
}
