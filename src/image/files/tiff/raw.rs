//! Stacks that have a directory only for the first page; the pixels of the other pages follow those of the first.
//!
//! ImageJ writes stacks above 4 GiB in this way, because the offsets of a classic TIFF have 32 bits; tifffile does with
//! `truncate=True`, and so does MetaMorph in its STK files.

use super::super::samples::Decoded;
use super::codec::NONE;
use super::directory::{Page, Places};

/// The directories that `count` uncompressed pages would have, which begin with the pixels of `first`.
pub(super) fn pages(bytes: &[u8], first: &Page, count: Option<usize>) -> Decoded<Vec<Page>> {
    let missing = || "the description of the TIFF declares more pages than the file has".to_string();
    let count = count.ok_or_else(missing)?;
    if first.compression != NONE || first.tile.is_some() {
        return Err(missing());
    }
    let start = first.start(bytes).ok_or_else(missing)?;
    let parts = u64::from(first.samples) / first.depth();
    let length = first.row_bytes(first.width) * first.height * parts;
    let end = (count as u64).checked_mul(length).and_then(|n| n.checked_add(start));
    if end.is_none_or(|end| end > bytes.len() as u64) {
        return Err(missing());
    }
    // The description, which may be long, is not copied for each page.
    let page = Page { strip: first.height, description: None, ..first.clone() };
    let places = (0..count as u64).map(|i| Places::From(start + i * length));
    Ok(places.map(|places| Page { places, ..page.clone() }).collect())
}
