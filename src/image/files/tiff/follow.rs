//! Whether the pixels of further pages follow those of the only page that has a directory.

use super::super::samples::Decoded;
use super::directory::Page;

/// How many of `wanted` pages are there, the first included. Only pixels that are not packed can follow. It is an error
/// if a page begins and the file ends within it.
pub(super) fn following(bytes: &[u8], first: &Page, wanted: usize) -> Decoded<usize> {
    let length = first.bytes();
    if first.compression != 1
        || first.tile.is_some()
        || first.planar
        || !first.bits.is_multiple_of(8)
        || length == 0
    {
        return Ok(1);
    }
    let Some(start) = first.start(bytes) else { return Ok(1) };
    // Where the directory comes after the pixels, it ends them.
    let directory = directory(bytes).filter(|&at| at > start);
    let end = directory.unwrap_or(bytes.len() as u64);
    let there = end.saturating_sub(start);
    let pages = usize::try_from(there / length).unwrap_or(usize::MAX);
    if pages < wanted && directory.is_none() && !there.is_multiple_of(length) {
        return Err("the TIFF is incomplete: it ends within a page".into());
    }
    Ok(pages.clamp(1, wanted.max(1)))
}

/// Where the first directory is.
fn directory(bytes: &[u8]) -> Option<u64> {
    let big = bytes.get(2..4)?.contains(&43);
    let place = if big { bytes.get(8..16) } else { bytes.get(4..8) }?;
    let push = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
    Some(if bytes[0] == b'M' { place.iter().fold(0, push) } else { place.iter().rev().fold(0, push) })
}
