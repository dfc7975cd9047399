//! TIFF files: BigTIFF, OME-TIFF and the stacks of ImageJ among them.
//!
//! The crate `tiff` unpacks strips and tiles. What it leaves open is here: the list of pages (`directory`, `entry`), their
//! assembly (`page`) and the meaning of the pages (`describe`).

use std::io::Cursor;

use tiff::decoder::{Decoder, Limits};

use super::axes::{Axis, arrange, count};
use super::samples::Decoded;
use super::size;
use crate::image::{Pixels, Stack};
use directory::Page;

mod describe;
mod directory;
mod entry;
mod page;
mod raw;

/// Decodes the pages of a TIFF.
pub(super) fn decode(mut bytes: Vec<u8>) -> Decoded<Stack> {
    let chain = directory::pages(&mut bytes)?;
    let first = chain.first().ok_or("the TIFF has no pages")?;
    first.check()?;
    let meaning = match &first.description {
        Some(text) => describe::meaning(text, first, chain.len())?,
        None => None,
    };
    // Thumbnails, pyramid levels and label images are pages too, but no planes.
    let is_plane = |page: &&Page| page.index == 0 || !page.reduced && page.same_pixels(first);
    let mut pages: Vec<&Page> = chain.iter().filter(is_plane).collect();
    if let Some(order) = meaning.as_ref().and_then(|m| m.order.as_ref()) {
        let page = |&i: &usize| pages.binary_search_by_key(&i, |page| page.index).ok().map(|at| pages[at]);
        let ordered: Option<Vec<_>> = order.iter().map(page).collect();
        pages = ordered.ok_or("the OME-XML lists pages that are not in this file")?;
    }
    let promised = pages.iter().fold(0_u64, |n, page| n.saturating_add(page.bytes()));
    size::check(promised, bytes.len())?;
    let axes = match meaning {
        Some(meaning) if count(&meaning.axes) == Some(pages.len()) => meaning.axes,
        Some(meaning) if pages.len() == 1 => {
            return arrange(raw::pages(&bytes, first, count(&meaning.axes))?, &meaning.axes);
        }
        // A description that came along from another file says nothing.
        _ => unnamed(pages.len(), first.samples),
    };
    arrange(read(&bytes, &pages)?, &axes)
}

/// What several pages are when the file does not say.
fn unnamed(pages: usize, samples: u16) -> Vec<Axis> {
    let letter = if samples == 1 && (2..=4).contains(&pages) { 'C' } else { 'Q' };
    vec![(letter, pages)]
}

fn read(bytes: &[u8], pages: &[&Page]) -> Decoded<Vec<Pixels>> {
    // The sizes were checked against the file; the crate's own limits (256 MiB a strip) are lower.
    let limits = Limits::unlimited();
    let decoder = Decoder::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut decoder = decoder.with_limits(limits);
    let mut planes = Vec::new();
    for page in pages {
        decoder.seek_to_image(page.index).map_err(|e| e.to_string())?;
        planes.push(page::read(&mut decoder, page)?);
    }
    Ok(planes)
}
