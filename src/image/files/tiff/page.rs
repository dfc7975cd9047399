//! The pixels of one page, assembled from its strips or tiles.

use bytemuck::Zeroable;
use ndarray::{Array3, ArrayView3, s};

use super::super::limits;
use super::super::samples::{Decoded, from_samples, keep};
use super::chunk;
use super::codec;
use super::directory::{Page, Places, YCBCR};
use super::numbers::Numbers;
use crate::image::Pixels;
use crate::memory::zeros;

/// Reads a page of the file.
pub(super) fn read(file: &[u8], page: &Page) -> Decoded<Pixels> {
    let mixed = "the TIFF mixes types of samples";
    match (page.format, page.bits) {
        (1, 1..=8) => assemble(file, page, |chunk| match chunk {
            Numbers::U8(values) if page.photometric == YCBCR => Ok(rgb(values)),
            Numbers::U8(values) => Ok(values),
            _ => Err(mixed.into()),
        })
        .map(Pixels::U8),
        (1, 9..=16) => assemble(file, page, |chunk| match chunk {
            Numbers::U16(values) => Ok(values),
            _ => Err(mixed.into()),
        })
        .map(Pixels::U16),
        _ => assemble(file, page, |chunk| Ok(floats(chunk))).map(Pixels::F32),
    }
}

/// Copies the strips or tiles of a page, as `convert` makes them of their numbers, to their places.
pub(super) fn assemble<T: Copy + Zeroable>(
    file: &[u8],
    page: &Page,
    convert: impl Fn(Numbers) -> Decoded<Vec<T>>,
) -> Decoded<Array3<T>> {
    let samples = usize::from(page.samples);
    let n = limits::samples(page.height, page.width, page.samples.into())?;
    let places = places(file, page)?;
    codec::check_lengths(page, &places)?;
    let (height, width) = (page.height as usize, page.width as usize);
    let mut image = from_samples(height, width, samples, zeros::<T>(n))?;

    let (columns, rows) = page.chunk();
    let across = page.width.div_ceil(columns);
    let chunks = across * page.height.div_ceil(rows);
    // A planar page has all chunks of its first sample, then all of its second.
    let depth = page.depth() as usize;
    for (index, &(offset, packed)) in (0..).zip(&places) {
        if packed == 0 {
            continue; // A chunk that was never written is zero.
        }
        let (part, place) = ((index / chunks) as usize, index % chunks);
        let (top, left) = (place / across * rows, place % across * columns);
        // The last strip ends with the page; the last tiles are filled up.
        let rows = if page.tile.is_some() { rows } else { rows.min(page.height - top) };
        let bytes = &file[offset as usize..(offset + packed) as usize];
        let bytes = chunk::samples(file, page, bytes, columns, rows)?;
        let values = convert(Numbers::of(page, bytes, columns as usize * depth)?)?;
        let chunk = ArrayView3::from_shape((rows as usize, columns as usize, depth), &values);
        let chunk = chunk.map_err(|_| chunk::INCOMPLETE)?;

        let (top, left) = (top as usize, left as usize);
        let (bottom, right) = (height.min(top + rows as usize), width.min(left + columns as usize));
        let mut target = image.slice_mut(s![top..bottom, left..right, part..part + depth]);
        target.assign(&chunk.slice(s![..bottom - top, ..right - left, ..]));
    }
    if page.alpha {
        let (values, _) = image.into_raw_vec_and_offset();
        image = from_samples(height, width, samples - 1, keep(values, samples, samples - 1))?;
    }
    Ok(image)
}

/// The offset and the length in bytes of each packed strip or tile, as far as it lies in the file.
fn places(file: &[u8], page: &Page) -> Decoded<Vec<(u64, u64)>> {
    let (columns, rows) = page.chunk();
    let parts = if page.planar { page.samples.into() } else { 1 };
    let count = page.width.div_ceil(columns) * page.height.div_ceil(rows) * parts;
    let each = page.row_bytes(columns) * rows;
    let length = file.len() as u64;
    let clip = |(offset, packed): (u64, u64)| match length.checked_sub(offset) {
        _ if packed == 0 => Ok((0, 0)),
        None | Some(0) => Err("the TIFF is incomplete: it ends before its pixels".to_string()),
        Some(left) => Ok((offset, packed.min(left))),
    };
    let (offsets, lengths) = match &page.places {
        // The first that is not in the file ends the list, so it is not longer than the file.
        Places::From(start) => {
            return (0..count).map(|i| clip((start.saturating_add(i.saturating_mul(each)), each))).collect();
        }
        Places::Listed(offsets, lengths) => (offsets, lengths),
    };
    let list = |entry: &Option<_>| {
        page.layout.numbers(file, entry.as_ref()?).map(|numbers| numbers.take(count as usize))
    };
    let offsets = list(offsets).ok_or("the TIFF does not say where its strips or tiles lie")?;
    match (list(lengths), page.compression) {
        (Some(lengths), _) => offsets.zip(lengths).map(clip).collect(),
        (None, codec::NONE) => offsets.map(|offset| clip((offset, each))).collect(),
        (None, _) => Err("the TIFF does not say how long its strips or tiles are".into()),
    }
}

/// Converts full-range YCbCr (ITU-R BT.601, as in JFIF) to RGB.
fn rgb(mut values: Vec<u8>) -> Vec<u8> {
    for pixel in values.chunks_exact_mut(3) {
        let (y, cb, cr) = (f32::from(pixel[0]), f32::from(pixel[1]) - 128.0, f32::from(pixel[2]) - 128.0);
        let colors = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
        pixel.copy_from_slice(&colors.map(|v| v.round() as u8));
    }
    values
}

/// Converts all numbers to `f32`, in which the original computes.
fn floats(chunk: Numbers) -> Vec<f32> {
    macro_rules! cast {
        ($($variant:ident),*) => {
            match chunk {
                Numbers::F32(values) => values,
                Numbers::F16(values) => values.into_iter().map(half::f16::to_f32).collect(),
                $(Numbers::$variant(values) => values.into_iter().map(|v| v as f32).collect(),)*
            }
        };
    }
    cast!(U8, U16, U32, U64, I8, I16, I32, I64, F64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ycbcr_to_rgb() {
        // Grey, and the primaries as JFIF rounds them.
        let ycbcr = vec![77, 128, 128, 76, 85, 255, 150, 44, 21, 29, 255, 107];
        let colors = rgb(ycbcr);
        assert_eq!(colors, [77, 77, 77, 254, 0, 0, 0, 255, 1, 0, 0, 254]);
    }
}
