//! Which axis of an array is which: from the user, from the file, or guessed from the lengths.

use super::options::ReadOptions;
use super::samples::Decoded;
use crate::image::Note;

/// Channels that are guessed have fewer than this, as in cellpose's `convert_image`.
const FEW: usize = 10;

/// An axis that nothing is known about.
pub(super) const UNKNOWN: char = '?';

/// The axes of an array as its file describes them, slowest first.
pub(super) struct Described<'a> {
    pub shape: &'a [usize],
    /// A letter for each axis: all of them known, or [`UNKNOWN`] for all except the samples (`S`).
    pub letters: &'a [char],
    /// The longest single axis before rows and columns that is taken for channels when nothing names it.
    pub most_channels: usize,
}

impl Described<'_> {
    fn named(&self) -> bool {
        !self.letters.is_empty() && !self.letters.contains(&UNKNOWN)
    }

    /// The shape in an error or a note.
    fn shown(&self) -> String {
        let lengths: Vec<_> = self.shape.iter().map(usize::to_string).collect();
        format!("the shape ({})", lengths.join(", "))
    }
}

/// A letter for each axis, among them `Y` and `X` once.
pub(super) fn resolve(array: &Described, options: &ReadOptions, notes: &mut Vec<Note>) -> Decoded<Vec<char>> {
    match array.shape.len() {
        0 => return Err("holds a single number, not an image".into()),
        1 => return Err(format!("has {}, but an image has rows and columns", array.shown())),
        _ => {}
    }
    if let Some(letters) = options.letters() {
        return given(array, letters);
    }
    if options.channel_axis.is_some() || options.z_axis.is_some() {
        return placed(array, options);
    }
    if array.named() {
        return Ok(array.letters.to_vec());
    }
    let letters = guess(array).ok_or_else(|| {
        let shown = array.shown();
        format!(
            "nothing says what the axes of {shown} are: name them, such as {} (--axes)",
            example(array.shape.len())
        )
    })?;
    if array.shape.iter().filter(|&&length| length > 1).count() > 2 && !is_plain(array) {
        let text: String = letters.iter().collect();
        let channels =
            if letters.contains(&'C') || letters.contains(&'S') { "" } else { ", without channels" };
        notes.push(Note::Remark(format!(
            "nothing names the axes of {}: read as {text}{channels} (--axes tells otherwise)",
            array.shown()
        )));
    }
    Ok(letters)
}

/// Like [`resolve`], for labels, of which nothing is guessed: axes that neither the options nor the file name are planes (`Q`)
/// before rows and columns.
pub(super) fn of_labels(array: &Described, options: &ReadOptions) -> Decoded<Vec<char>> {
    if options.names_axes() || array.named() {
        return resolve(array, options, &mut vec![]);
    }
    let known = array.letters.iter().filter(|letter| **letter == 'S').count();
    let planes = array.shape.len().saturating_sub(2 + known);
    let letter = |(place, &letter): (usize, &char)| match (letter, place.checked_sub(planes)) {
        (UNKNOWN, None) => 'Q',
        (UNKNOWN, Some(0)) => 'Y',
        (UNKNOWN, Some(_)) => 'X',
        (known, _) => known,
    };
    Ok(array.letters.iter().enumerate().map(letter).collect())
}

/// Whether the samples of a single page are all that is beside its rows and columns: then nothing was guessed.
fn is_plain(array: &Described) -> bool {
    let beside = array.letters.iter().filter(|&&letter| letter == UNKNOWN).count();
    beside == 2
}

/// Letters that fit in number, as an example.
fn example(axes: usize) -> &'static str {
    match axes {
        0..=3 => "CYX",
        4 => "ZCYX",
        _ => "TZCYX",
    }
}

/// The letters of the user. They may leave out axes of length 1.
fn given(array: &Described, letters: Vec<char>) -> Decoded<Vec<char>> {
    if letters.len() == array.shape.len() {
        return Ok(letters);
    }
    if letters.len() == array.shape.iter().filter(|&&length| length != 1).count() {
        let mut letters = letters.into_iter();
        let fill = |&length: &usize| if length == 1 { Some('Q') } else { letters.next() };
        return Ok(array.shape.iter().filter_map(fill).collect());
    }
    let text: String = letters.iter().collect();
    Err(format!("has {}, which --axes {text} does not fit", array.shown()))
}

/// The axes that the user placed, and the file's letters for the others. An axis that loses its letter to a placed one
/// is one over which planes run.
fn placed(array: &Described, options: &ReadOptions) -> Decoded<Vec<char>> {
    let axes = array.shape.len();
    let place = |axis: Option<isize>, name| {
        let Some(axis) = axis else { return Ok(None) };
        let counted = if axis < 0 { axis.checked_add_unsigned(axes) } else { Some(axis) };
        let place = counted.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < axes);
        place.map(Some).ok_or_else(|| format!("has {}, which has no {name} {axis}", array.shown()))
    };
    let (channels, depth) =
        (place(options.channel_axis, "--channel-axis")?, place(options.z_axis, "--z-axis")?);
    if channels.is_some() && channels == depth {
        return Err(format!("has {}, where --channel-axis and --z-axis are the same", array.shown()));
    }
    let mut letters = array.letters.to_vec();
    // Without rows or columns, the other letters say nothing either.
    if [channels, depth].into_iter().flatten().any(|place| "YX".contains(letters[place])) {
        letters.iter_mut().filter(|letter| **letter != 'S').for_each(|letter| *letter = UNKNOWN);
    }
    for (place, letter) in [(channels, 'C'), (depth, 'Z')] {
        let Some(place) = place else { continue };
        letters.iter_mut().filter(|other| **other == letter).for_each(|other| *other = 'Q');
        letters[place] = letter;
    }
    if !letters.contains(&'Y') {
        let open: Vec<_> = (0..axes).filter(|&axis| letters[axis] == UNKNOWN).collect();
        let [lead @ .., y, x] = &open[..] else {
            return Err(format!("has {}, which leaves no axes for rows and columns", array.shown()));
        };
        (letters[*y], letters[*x]) = ('Y', 'X');
        lead.iter().for_each(|&axis| letters[axis] = 'Q');
    }
    Ok(letters)
}

/// Guesses the letters from the lengths; `None` where two guesses are equally good.
///
/// The last axis is the channels if it is the shortest of the last three and shorter than [`FEW`]. Else the last two are
/// rows and columns; of two axes before them the shorter is the channels if it is shorter than [`FEW`] (cellpose takes
/// the shortest of all); a single one is the channels up to [`Described::most_channels`].
fn guess(array: &Described) -> Option<Vec<char>> {
    let shape = array.shape;
    let mut letters = array.letters.to_vec();
    let mut open: Vec<usize> = (0..shape.len()).filter(|&axis| letters[axis] == UNKNOWN).collect();
    let mut has_channels = open.len() < shape.len();
    if let ([.., before, y, last], false) = (&open[..], has_channels) {
        let length = shape[*last];
        if length < FEW && length < shape[*before] && length <= shape[*y] {
            letters[*last] = 'C';
            open.pop();
            has_channels = true;
        }
    }
    let [lead @ .., y, x] = &open[..] else { return None };
    (letters[*y], letters[*x]) = ('Y', 'X');
    lead.iter().for_each(|&axis| letters[axis] = 'Q');
    let long: Vec<usize> = lead.iter().copied().filter(|&axis| shape[axis] > 1).collect();
    match &long[..] {
        [] => {}
        _ if has_channels => {}
        [one] => {
            let most = array.most_channels.min(shape[*y]).min(shape[*x]);
            if shape[*one] <= most {
                letters[*one] = 'C';
            }
        }
        [one, two] if shape[*one].min(shape[*two]) < FEW => match shape[*one].cmp(&shape[*two]) {
            std::cmp::Ordering::Less => letters[*one] = 'C',
            std::cmp::Ordering::Greater => letters[*two] = 'C',
            std::cmp::Ordering::Equal => return None,
        },
        [_, _] => {}
        _ => return None,
    }
    Some(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(shape: &[usize], letters: &str, options: ReadOptions) -> Decoded<(String, usize)> {
        let letters: Vec<char> = letters.chars().collect();
        let array = Described { shape, letters: &letters, most_channels: 4 };
        let mut notes = vec![];
        let letters = resolve(&array, &options, &mut notes)?;
        Ok((letters.into_iter().collect(), notes.len()))
    }

    fn guessed(shape: &[usize], letters: &str) -> Decoded<String> {
        Ok(with(shape, letters, ReadOptions::default())?.0)
    }

    #[test]
    fn channels_are_guessed_by_the_lengths() {
        for (shape, letters, wanted) in [
            (&[200, 240][..], "??", "YX"),
            (&[200, 240, 3], "??S", "YXS"),
            (&[200, 240, 2], "???", "YXC"),
            (&[3, 4, 128, 160], "????", "CQYX"),
            (&[40, 9, 128, 160], "????", "QCYX"),
            (&[40, 12, 128, 160], "????", "QQYX"),
            (&[1, 4, 128, 160], "????", "QCYX"),
            (&[5, 128, 160], "???", "QYX"),
            (&[4, 128, 160], "???", "CYX"),
            (&[4, 128, 160, 3], "???S", "QYXS"),
            (&[2, 7, 17, 3], "????", "QYXC"),
            (&[3, 5, 3, 128, 160], "CTZYX", "CTZYX"),
        ] {
            assert_eq!(guessed(shape, letters).unwrap(), wanted, "{shape:?}");
        }
    }

    #[test]
    fn what_cannot_be_guessed_shows_the_shape_and_the_option() {
        for shape in [&[3, 3, 128, 160][..], &[2, 4, 2, 128, 160]] {
            let error = guessed(shape, &"?".repeat(shape.len())).unwrap_err();
            let lengths: Vec<_> = shape.iter().map(usize::to_string).collect();
            let shown = format!("({})", lengths.join(", "));
            assert!(error.contains(&shown) && error.contains("--axes"), "{error}");
        }
        // No name of an axis makes an image of these.
        assert_eq!(guessed(&[], "").unwrap_err(), "holds a single number, not an image");
        assert_eq!(guessed(&[7], "?").unwrap_err(), "has the shape (7), but an image has rows and columns");
    }

    #[test]
    fn a_guess_is_noted_and_what_is_known_is_not() {
        let notes = |shape: &[usize], letters| with(shape, letters, ReadOptions::default()).unwrap().1;
        assert_eq!(notes(&[4, 128, 160], "???"), 1);
        assert_eq!(notes(&[128, 160], "??"), 0);
        assert_eq!(notes(&[128, 160, 3], "??S"), 0);
        assert_eq!(notes(&[4, 128, 160], "ZYX"), 0);
    }

    #[test]
    fn the_user_overrules_file_and_guess() {
        let axes = |axes: &str| ReadOptions::default().axes(Some(axes.into()));
        assert_eq!(with(&[6, 128, 160], "ZYX", axes("cyx")).unwrap().0, "CYX");
        assert_eq!(with(&[1, 6, 128, 160], "????", axes("CYX")).unwrap().0, "QCYX");
        let error = with(&[6, 128, 160], "ZYX", axes("TZCYX")).unwrap_err();
        assert!(error.contains("(6, 128, 160)") && error.contains("TZCYX"), "{error}");

        let channels = |axis| ReadOptions::default().channel_axis(Some(axis));
        assert_eq!(with(&[6, 128, 160], "???", channels(0)).unwrap().0, "CYX");
        assert_eq!(with(&[6, 2, 128, 160], "ZCYX", channels(0)).unwrap().0, "CQYX");
        assert_eq!(with(&[128, 160, 20], "ZYX", channels(-1)).unwrap().0, "YXC");
        assert_eq!(with(&[6, 128, 160, 3], "???S", channels(0)).unwrap().0, "CYXS");
        let both = channels(1).z_axis(Some(0));
        assert_eq!(with(&[6, 2, 128, 160], "????", both.clone()).unwrap().0, "ZCYX");
        assert!(with(&[6, 128], "??", both).unwrap_err().contains("rows and columns"));
        for axis in [3, -4, isize::MAX, isize::MIN] {
            assert!(with(&[6, 128, 160], "???", channels(axis)).unwrap_err().contains("(6, 128, 160)"));
        }
    }
}
