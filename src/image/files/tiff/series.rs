//! The images of a TIFF: which pages are theirs, and over which axes these run.

use std::collections::{BTreeMap, BTreeSet};

use super::super::axes::count;
use super::super::samples::Decoded;
use super::directory::Page;
use crate::image::{Axis, Note, PixelSize};

/// One image of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Series {
    pub name: Option<String>,
    pub pixel_size: PixelSize,
    /// The lengths of the axes over which the pages run, slowest first.
    pub lengths: Vec<usize>,
    /// The letters of these axes, and then of those of a page (see [`within`]); `None` if nothing names them.
    pub letters: Option<Vec<char>>,
    /// The pages that are there: their places along the axes and their numbers in the file.
    pub pages: Vec<(usize, usize)>,
    /// Whether only the first page has a directory, and the pixels of the others follow.
    pub raw: bool,
    pub notes: Vec<Note>,
}

impl Series {
    /// Pages that nothing describes: all that are like the first.
    pub fn plain(chain: &[Page]) -> Self {
        let pages: Vec<_> = alike(chain, full(chain)).collect();
        let mut series = Series { lengths: vec![pages.len()], ..Series::default() };
        if pages.len() == 1 {
            series.lengths.clear();
        }
        let others = chain.iter().filter(|page| !page.reduced).count().saturating_sub(pages.len());
        if others > 0 {
            let pages = if others == 1 { "1 page" } else { &format!("{others} pages") };
            series.warn(format!("{pages} of another size or type than the first left out"));
        }
        series.pages = pages.into_iter().enumerate().collect();
        series
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.notes.push(Note::Warning(text.into()));
    }
}

/// The number of the first page of full resolution: a thumbnail may come before it.
pub(super) fn full(chain: &[Page]) -> usize {
    chain.iter().position(|page| !page.reduced).unwrap_or(0)
}

/// The numbers of the pages of full resolution that have the size and type of page `first`, and this page itself.
pub(super) fn alike(chain: &[Page], first: usize) -> impl Iterator<Item = usize> {
    let is_alike =
        move |page: &&Page| page.index == first || !page.reduced && page.same_pixels(&chain[first]);
    chain.iter().filter(is_alike).map(|page| page.index)
}

/// The axes of a page in the order of tifffile: samples that have planes of their own come before the rows.
pub(super) fn within(page: &Page) -> Vec<(char, usize)> {
    let samples = usize::from(page.samples) - usize::from(page.alpha);
    let mut axes = vec![('Y', page.height as usize), ('X', page.width as usize)];
    if page.samples > 1 {
        axes.insert(if page.planar { 0 } else { 2 }, ('S', samples));
    }
    axes
}

/// Axes that pages fill without gaps, the pages in their order, and what had to be left out.
pub(super) struct Complete {
    pub axes: Vec<Axis>,
    pub pages: Vec<usize>,
    pub left_out: usize,
}

/// Leaves out the places without a page. A plane of which a channel is missing is left out with its pages. Where the
/// planes that remain do not fill a box, as when an acquisition stopped within a stack, they are one axis.
pub(super) fn complete(axes: Vec<Axis>, mut pages: Vec<(usize, usize)>) -> Decoded<Complete> {
    pages.sort_unstable();
    pages.dedup_by_key(|(place, _)| *place);
    if count(&axes) == Some(pages.len()) {
        let pages = pages.into_iter().map(|(_, page)| page).collect();
        return Ok(Complete { axes, pages, left_out: 0 });
    }
    if axes.iter().any(|axis| matches!(axis.letter, 'Y' | 'X')) {
        return Err("the TIFF is incomplete: pages with rows of its pictures are missing".into());
    }
    // Along an axis of length 1 nothing is missing, and the other axes are at most as many as a number has bits.
    let axes: Vec<Axis> = axes.into_iter().filter(|axis| axis.length > 1).collect();
    let mut channels = BTreeSet::new();
    let mut planes: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    let all = pages.len();
    for (place, page) in pages {
        let (plane, channel) = split(place, &axes);
        channels.insert(channel);
        planes.entry(plane).or_default().push(page);
    }
    planes.retain(|_, pages| pages.len() == channels.len());
    if planes.is_empty() {
        return Err("no plane has all its channels".into());
    }
    let mut complete = boxed(&axes, planes.keys());
    complete.push(Axis { letter: 'C', length: channels.len() });
    let pages: Vec<usize> = planes.into_values().flatten().collect();
    Ok(Complete { axes: complete, left_out: all - pages.len(), pages })
}

/// The indices of a page along the axes of planes, and along the channels.
fn split(mut place: usize, axes: &[Axis]) -> (Vec<usize>, Vec<usize>) {
    let (mut plane, mut channel) = (Vec::new(), Vec::new());
    for axis in axes.iter().rev() {
        if axis.letter == 'C' { &mut channel } else { &mut plane }.push(place % axis.length);
        place /= axis.length;
    }
    plane.reverse();
    (plane, channel)
}

/// The axes of these planes, with the lengths that occur; a single axis if the planes do not fill these.
fn boxed<'a>(axes: &[Axis], planes: impl ExactSizeIterator<Item = &'a Vec<usize>> + Clone) -> Vec<Axis> {
    let over = axes.iter().filter(|axis| axis.letter != 'C').enumerate();
    let length = |slot: usize| planes.clone().map(|plane| plane[slot]).collect::<BTreeSet<_>>().len();
    let fitted: Vec<Axis> =
        over.map(|(slot, axis)| Axis { letter: axis.letter, length: length(slot) }).collect();
    match count(&fitted) == Some(planes.len()) {
        true => fitted,
        false => vec![Axis { letter: 'Q', length: planes.len() }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(axes: &[(char, usize)], places: &[usize]) -> Decoded<(String, Vec<usize>, usize)> {
        let axes = axes.iter().map(|&(letter, length)| Axis { letter, length }).collect();
        let pages = places.iter().enumerate().map(|(page, &place)| (place, page)).collect();
        let complete = complete(axes, pages)?;
        let shown = complete.axes.iter().filter(|axis| axis.length > 1);
        let shown = shown.map(|axis| format!("{}{}", axis.letter, axis.length)).collect::<Vec<_>>().join(" ");
        Ok((shown, complete.pages, complete.left_out))
    }

    #[test]
    fn what_is_missing_at_the_end_is_left_out() {
        let tzc = [('T', 100), ('Z', 2), ('C', 2)];
        assert_eq!(of(&tzc, &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap(), ("T2 Z2 C2".into(), (0..8).collect(), 0));
        // Stopped within the second stack, and within a plane.
        assert_eq!(of(&tzc, &[0, 1, 2, 3, 4, 5]).unwrap(), ("Q3 C2".into(), (0..6).collect(), 0));
        assert_eq!(of(&tzc, &[0, 1, 2, 3, 4]).unwrap(), ("Z2 C2".into(), (0..4).collect(), 1));
        // Channels are slowest: the last one was not finished.
        let ctz = [('C', 2), ('T', 3), ('Z', 1)];
        assert_eq!(of(&ctz, &[0, 1, 2, 3, 4]).unwrap(), ("T2 C2".into(), vec![0, 3, 1, 4], 1));
    }

    #[test]
    fn pages_of_one_file_of_many_are_its_own_image() {
        assert_eq!(of(&[('T', 2), ('C', 2)], &[3]).unwrap(), (String::new(), vec![0], 0));
        assert_eq!(of(&[('T', 9), ('C', 2)], &[1, 3, 5]).unwrap(), ("T3".into(), vec![0, 1, 2], 0));
        assert!(of(&[('T', 2), ('C', 2)], &[0, 3]).is_err());
        assert_eq!(of(&[('T', usize::MAX), ('C', usize::MAX)], &[0]).unwrap().0, "");
    }
}
