//! The pixels of one page, assembled from its strips or tiles.
//!
//! They are read chunk by chunk, because the crate's functions for whole images return only the first plane of planar
//! files and panic on planar tiles.

use std::io::{Cursor, Read, Seek, SeekFrom};

use ndarray::{Array3, ArrayView3, s};
use tiff::decoder::{ChunkType, Decoder, DecodingResult};
use tiff::tags::Tag;

use super::super::limits;
use super::super::samples::{Decoded, from_samples, keep};
use super::directory::{JPEG, Page, YCBCR};
use crate::image::Pixels;

/// Reads the current page of the decoder.
pub(super) fn read(decoder: &mut Decoder<Cursor<&[u8]>>, page: &Page) -> Decoded<Pixels> {
    match (page.format, page.bits) {
        (1, 1..=8) => assemble(decoder, page, |chunk, row| match chunk {
            DecodingResult::U8(values) if page.bits < 8 => Some(unpack(&values, page.bits, row)),
            DecodingResult::U8(values) if page.photometric == YCBCR => Some(rgb(values)),
            DecodingResult::U8(values) => Some(values),
            _ => None,
        })
        .map(Pixels::U8),
        (1, 16) => assemble(decoder, page, |chunk, _| match chunk {
            DecodingResult::U16(values) => Some(values),
            _ => None,
        })
        .map(Pixels::U16),
        _ => assemble(decoder, page, |chunk, _| Some(floats(chunk))).map(Pixels::F32),
    }
}

/// Copies the chunks of a page to their places. `convert` gets a chunk and the number of values in a row of it.
pub(super) fn assemble<R: Read + Seek, T: Copy + Default>(
    decoder: &mut Decoder<R>,
    page: &Page,
    convert: impl Fn(DecodingResult, usize) -> Option<Vec<T>>,
) -> Decoded<Array3<T>> {
    let samples = usize::from(page.samples);
    let n = limits::samples(page.height, page.width, page.samples.into())?;
    let (height, width) = (page.height as usize, page.width as usize);
    // They differ where a tag of 16 bits cannot hold the padded width or height.
    if decoder.dimensions().ok().map(|(w, h)| (w.into(), h.into())) != Some(page.padded()) {
        return Err("the sides of the TIFF are not consistent with its tiles".into());
    }
    let length = decoder.inner().seek(SeekFrom::End(0)).map_err(|e| e.to_string())?;
    let mut image = from_samples(height, width, samples, limits::zeros::<T>(n)?)?;

    let (chunk_width, chunk_height) = decoder.chunk_dimensions();
    let across = width.div_ceil(chunk_width as usize);
    let chunks = across * height.div_ceil(chunk_height as usize);
    // A planar page has all chunks of its first sample, then all of its second.
    let (parts, depth) = if page.planar { (samples, 1) } else { (1, samples) };
    for (index, (offset, packed)) in places(decoder)?.into_iter().enumerate().take(chunks * parts) {
        if packed == 0 {
            continue; // A chunk that was never written is zero.
        }
        // The crate would fill the missing part of a JPEG with grey.
        if page.compression == JPEG && offset.saturating_add(packed) > length {
            return Err("the TIFF is incomplete".into());
        }
        let number = u32::try_from(index).map_err(|e| e.to_string())?;
        let (columns, rows) = decoder.chunk_data_dimensions(number);
        let (columns, rows) = (columns as usize, rows as usize);
        let chunk = decoder.read_chunk(number).map_err(|e| e.to_string())?;
        let values = convert(chunk, columns * depth).ok_or("the TIFF mixes types of samples")?;
        let chunk = ArrayView3::from_shape((rows, columns, depth), &values);
        let chunk = chunk.map_err(|_| "a strip or tile of the TIFF is incomplete")?;

        let (part, place) = (index / chunks, index % chunks);
        let (top, left) = (place / across * chunk_height as usize, place % across * chunk_width as usize);
        // Pixels beyond the edge are padding.
        let (bottom, right) = (height.min(top + rows), width.min(left + columns));
        image.slice_mut(s![top..bottom, left..right, part..part + depth]).assign(&chunk.slice(s![
            ..bottom - top,
            ..right - left,
            ..
        ]));
    }
    if page.alpha {
        let (values, _) = image.into_raw_vec_and_offset();
        image = from_samples(height, width, samples - 1, keep(values, samples, samples - 1))?;
    }
    Ok(image)
}

/// The offset and the length in bytes of each packed chunk in the file.
fn places<R: Read + Seek>(decoder: &mut Decoder<R>) -> Decoded<Vec<(u64, u64)>> {
    let (offsets, lengths) = match decoder.get_chunk_type() {
        ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
        ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
    };
    let mut list = |tag| match decoder.find_tag_unsigned_vec::<u64>(tag) {
        Ok(list) => Ok(list.unwrap_or_default()),
        Err(e) => Err(e.to_string()),
    };
    Ok(list(offsets)?.into_iter().zip(list(lengths)?).collect())
}

/// Unpacks values of 1, 2 or 4 bits, the highest bits of a byte first. Every row, of `row` values, begins a new byte.
pub(in super::super) fn unpack(bytes: &[u8], bits: u64, row: usize) -> Vec<u8> {
    let bits = bits as usize;
    let mask = (1_u8 << bits) - 1;
    let value = |bytes: &[u8], i: usize| bytes[i * bits / 8] >> (8 - bits - i * bits % 8) & mask;
    let rows = bytes.chunks_exact((row * bits).div_ceil(8));
    rows.flat_map(|bytes| (0..row).map(move |i| value(bytes, i))).collect()
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
fn floats(chunk: DecodingResult) -> Vec<f32> {
    macro_rules! cast {
        ($($variant:ident),*) => {
            match chunk {
                DecodingResult::F32(values) => values,
                DecodingResult::F16(values) => values.into_iter().map(half::f16::to_f32).collect(),
                $(DecodingResult::$variant(values) => values.into_iter().map(|v| v as f32).collect(),)*
            }
        };
    }
    cast!(U8, U16, U32, U64, I8, I16, I32, I64, F64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_unpacked_from_the_highest() {
        assert_eq!(unpack(&[0b1010_0000, 0b0100_0000], 1, 3), [1, 0, 1, 0, 1, 0]);
        assert_eq!(unpack(&[0b1101_1000, 0b0100_0000], 2, 5), [3, 1, 2, 0, 1]);
        assert_eq!(unpack(&[0x1f, 0x20], 4, 3), [1, 15, 2]);
    }

    #[test]
    fn ycbcr_to_rgb() {
        // Grey, and the primaries as JFIF rounds them.
        let ycbcr = vec![77, 128, 128, 76, 85, 255, 150, 44, 21, 29, 255, 107];
        let colors = rgb(ycbcr);
        assert_eq!(colors, [77, 77, 77, 254, 0, 0, 0, 255, 1, 0, 0, 254]);
    }
}
