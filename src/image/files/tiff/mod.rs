//! TIFF files, including BigTIFF, OME-TIFF and the stacks of ImageJ.
//!
//! `directory` and `entry` list the pages; `codec` knows the compressions, `chunk` and `picture` unpack a strip or tile,
//! `predictor` and `numbers` make numbers of it, `page` assembles a page, `raw` makes the directories of pages that have
//! none, and `describe` finds the axes of the pages. (The crate `tiff` reads fewer kinds of samples and compressions,
//! interprets colours while it unpacks, and takes a time that is quadratic in the number of pages.)

use super::axes::{Axis, arrange, count};
use super::limits;
use super::samples::Decoded;
use crate::image::{Pixels, Stack};
use directory::Page;

mod chunk;
mod codec;
mod describe;
mod directory;
mod entry;
mod numbers;
mod page;
mod picture;
mod predictor;
mod raw;

/// Decodes the pages of a TIFF.
pub(super) fn decode(bytes: Vec<u8>) -> Decoded<Stack> {
    let chain = directory::pages(&bytes)?;
    let description = chain.first().ok_or("the TIFF has no pages")?.description.as_ref();
    // A thumbnail may come first.
    let first = chain.iter().find(|page| !page.reduced).unwrap_or(&chain[0]);
    first.check()?;
    let meaning = match description {
        Some(text) => describe::meaning(text, first, chain.len())?,
        None => None,
    };
    // Thumbnails, pyramid levels and label images are pages too, but not planes.
    let is_plane = |page: &&Page| page.index == first.index || !page.reduced && page.same_pixels(first);
    let mut pages: Vec<&Page> = chain.iter().filter(is_plane).collect();
    if let Some(order) = meaning.as_ref().and_then(|m| m.order.as_ref()) {
        let page = |&i: &usize| pages.binary_search_by_key(&i, |page| page.index).ok().map(|at| pages[at]);
        let ordered: Option<Vec<_>> = order.iter().map(page).collect();
        pages = ordered.ok_or("the OME-XML lists pages that are not in this file")?;
    }
    limits::fits(pages.iter().fold(0_u64, |n, page| n.saturating_add(page.bytes())))?;
    let axes = match meaning {
        Some(meaning) if count(&meaning.axes) == Some(pages.len()) => meaning.axes,
        Some(meaning) if pages.len() == 1 => {
            let pages = raw::pages(&bytes, first, count(&meaning.axes))?;
            return arrange(read(&bytes, &pages)?, &meaning.axes);
        }
        // A description that does not match the pages was copied from another file, and is ignored.
        _ => unnamed(pages.len(), first.samples),
    };
    arrange(read(&bytes, pages)?, &axes)
}

/// The axes of pages that have no description.
fn unnamed(pages: usize, samples: u16) -> Vec<Axis> {
    let letter = if samples == 1 && (2..=4).contains(&pages) { 'C' } else { 'Q' };
    vec![(letter, pages)]
}

fn read<'a>(bytes: &[u8], pages: impl IntoIterator<Item = &'a Page>) -> Decoded<Vec<Pixels>> {
    pages.into_iter().map(|page| page::read(bytes, page)).collect()
}
