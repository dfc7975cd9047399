//! Stacks that have a directory only for the first page; the pixels of the other pages follow those of the first.
//!
//! ImageJ writes stacks above 4 GiB in this way, because the offsets of a classic TIFF have 32 bits; tifffile does with
//! `truncate=True`.

use super::super::limits;
use super::super::samples::{Decoded, from_samples, keep};
use super::directory::Page;
use crate::image::{Pixel, Pixels};
use crate::npy::{Number, numbers};

/// Reads `count` uncompressed pages, which begin with the pixels of `first`.
pub(super) fn pages<P>(
    bytes: &[u8],
    first: &Page,
    count: Option<usize>,
    pixels: super::Raw<P>,
) -> Decoded<Vec<P>> {
    let missing = || "the description of the TIFF declares more pages than the file has".to_string();
    let count = count.ok_or_else(missing)?;
    if first.compression != 1 || first.tile.is_some() || first.planar || first.bits < 8 {
        return Err(missing());
    }
    let length = usize::try_from(first.bytes()).map_err(|e| e.to_string())?;
    let start = usize::try_from(first.offset).map_err(|e| e.to_string())?;
    let end = length.checked_mul(count).and_then(|n| n.checked_add(start));
    let all = end.and_then(|end| bytes.get(start..end)).ok_or_else(missing)?;
    all.chunks_exact(length).map(|page| pixels(page, first)).collect()
}

pub(super) fn pixels(bytes: &[u8], page: &Page) -> Decoded<Pixels> {
    match (page.format, page.bits) {
        (1, 8) => assemble(bytes, page, |v: u8| v),
        (1, 16) => assemble(bytes, page, |v: u16| v),
        (2, 8) => assemble(bytes, page, |v: i8| f32::from(v)),
        (2, 16) => assemble(bytes, page, |v: i16| f32::from(v)),
        (3, 32) => assemble(bytes, page, |v: f32| v),
        (format, bits) => {
            Err(format!("a stack without directories of {bits} bits (format {format}) is not supported"))
        }
    }
}

fn assemble<T: Number, U: Pixel>(bytes: &[u8], page: &Page, convert: impl Fn(T) -> U) -> Decoded<Pixels> {
    let samples = usize::from(page.samples);
    let (height, width) = (page.height as usize, page.width as usize);
    limits::samples(page.height, page.width, page.samples.into())?;
    let kept = if page.alpha { samples - 1 } else { samples };
    let values = keep(numbers(bytes, page.big_endian, convert), samples, kept);
    Ok(U::wrap(from_samples(height, width, kept, values)?))
}
