//! TIFF files, including BigTIFF, OME-TIFF and the stacks of ImageJ.
//!
//! The crate `tiff` unpacks strips and tiles. These modules do the rest: `directory` and `entry` list the pages, `page`
//! assembles a page, `raw` reads pages without a directory, and `describe` finds the axes of the pages.

use std::io::Cursor;

use tiff::decoder::{Decoder, Limits};

use super::axes::{Axis, arrange, count};
use super::limits;
use super::samples::Decoded;
use crate::image::Stack;
use directory::Page;

mod describe;
mod directory;
mod entry;
pub(super) mod labels;
mod page;
mod raw;

pub(super) use page::unpack;

/// How a page is read: from its own directory, or from its bytes alone.
type Read<P> = fn(&mut Decoder<Cursor<&[u8]>>, &Page) -> Decoded<P>;
type Raw<P> = fn(&[u8], &Page) -> Decoded<P>;

/// Decodes the pages of a TIFF.
pub(super) fn decode(bytes: Vec<u8>) -> Decoded<Stack> {
    let (pages, axes) = planes(bytes, page::read, raw::pixels)?;
    arrange(pages, &axes)
}

/// The pages that are planes or channels, and the axes over which they run.
fn planes<P>(mut bytes: Vec<u8>, each: Read<P>, raw: Raw<P>) -> Decoded<(Vec<P>, Vec<Axis>)> {
    let chain = directory::pages(&mut bytes)?;
    let first = chain.first().ok_or("the TIFF has no pages")?;
    first.check()?;
    let meaning = match &first.description {
        Some(text) => describe::meaning(text, first, chain.len())?,
        None => None,
    };
    // Thumbnails, pyramid levels and label images are pages too, but not planes.
    let is_plane = |page: &&Page| page.index == 0 || !page.reduced && page.same_pixels(first);
    let mut pages: Vec<&Page> = chain.iter().filter(is_plane).collect();
    if let Some(order) = meaning.as_ref().and_then(|m| m.order.as_ref()) {
        let page = |&i: &usize| pages.binary_search_by_key(&i, |page| page.index).ok().map(|at| pages[at]);
        let ordered: Option<Vec<_>> = order.iter().map(page).collect();
        pages = ordered.ok_or("the OME-XML lists pages that are not in this file")?;
    }
    let promised = pages.iter().fold(0_u64, |n, page| n.saturating_add(page.bytes()));
    limits::check(promised, bytes.len())?;
    let axes = match meaning {
        Some(meaning) if count(&meaning.axes) == Some(pages.len()) => meaning.axes,
        Some(meaning) if pages.len() == 1 => {
            return Ok((raw::pages(&bytes, first, count(&meaning.axes), raw)?, meaning.axes));
        }
        // A description that does not match the pages was copied from another file, and is ignored.
        _ => unnamed(pages.len(), first.samples),
    };
    Ok((read(&bytes, &pages, each)?, axes))
}

/// The axes of pages that have no description.
fn unnamed(pages: usize, samples: u16) -> Vec<Axis> {
    let letter = if samples == 1 && (2..=4).contains(&pages) { 'C' } else { 'Q' };
    vec![(letter, pages)]
}

fn read<P>(bytes: &[u8], pages: &[&Page], each: Read<P>) -> Decoded<Vec<P>> {
    // Sizes were checked against the length of the file. The crate's limit, 256 MiB a strip, would refuse large images.
    let limits = Limits::unlimited();
    let decoder = Decoder::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut decoder = decoder.with_limits(limits);
    let mut planes = Vec::new();
    for page in pages {
        decoder.seek_to_image(page.index).map_err(|e| e.to_string())?;
        planes.push(each(&mut decoder, page)?);
    }
    Ok(planes)
}
