//! Labels in the pages of a TIFF, as exact as the file has them. Every page is a plane.

use std::cell::RefCell;
use std::io::Cursor;

use half::f16;
use ndarray::{Array3, Array4};
use tiff::decoder::{Decoder, DecodingResult};

use super::super::axes::place;
use super::super::labels::colours;
use super::super::labels::numbers::{EXACT_F16, EXACT_F32, EXACT_F64, floats, integers};
use super::super::samples::{Decoded, from_samples};
use super::directory::{JPEG, Page};
use super::page::{assemble, unpack};
use crate::image::Axis;
use crate::npy::numbers;

/// Decodes the pages as `[volumes, planes, height, width]`: the planes of a volume run over z. Where no axis is named
/// z, all pages are one volume.
pub(in super::super) fn decode(bytes: Vec<u8>) -> Decoded<Array4<u32>> {
    let (pages, axes) = super::planes(bytes, read, raw)?;
    let (height, width) = pages.first().map_or((0, 0), |page| (page.dim().0, page.dim().1));
    let depth: usize = axes.iter().filter(|axis| axis.letter == 'Z').map(|axis: &Axis| axis.length).product();
    let depth = if depth > 1 { depth } else { pages.len() };
    let shape = (pages.len() / depth.max(1), depth, height, width);
    let mut order: Vec<usize> = (0..pages.len()).collect();
    order.sort_by_cached_key(|&index| place(index, &axes));
    let mut pages: Vec<Option<Array3<u32>>> = pages.into_iter().map(Some).collect();
    let mut labels = Vec::new();
    for page in order.into_iter().filter_map(|index| pages[index].take()) {
        let (page, _) = page.into_raw_vec_and_offset();
        if labels.is_empty() { labels = page } else { labels.extend(page) }
    }
    Array4::from_shape_vec(shape, labels).map_err(|_| "pages of different sizes".into())
}

/// Reads the current page of the decoder.
fn read(decoder: &mut Decoder<Cursor<&[u8]>>, page: &Page) -> Decoded<Array3<u32>> {
    check(page)?;
    let fault = RefCell::new(None);
    let read = assemble(decoder, page, |chunk, row| {
        whole(chunk, page, row).map_err(|reason| fault.replace(Some(reason))).ok()
    });
    fault.into_inner().map_or(read, Err)
}

fn check(page: &Page) -> Decoded<()> {
    if page.samples != 1 {
        return Err(colours(page.samples.into()));
    }
    match page.compression {
        JPEG => Err("JPEG changes numbers and cannot hold labels".into()),
        _ => Ok(()),
    }
}

/// The labels of a strip or tile, in which a row has `row` numbers.
fn whole(chunk: DecodingResult, page: &Page, row: usize) -> Decoded<Vec<u32>> {
    match chunk {
        DecodingResult::U8(values) if page.bits < 8 => integers(unpack(&values, page.bits, row)),
        DecodingResult::U8(values) => integers(values),
        DecodingResult::U16(values) => integers(values),
        DecodingResult::U32(values) => Ok(values),
        DecodingResult::U64(values) => integers(values),
        DecodingResult::I8(values) => integers(values),
        DecodingResult::I16(values) => integers(values),
        DecodingResult::I32(values) => integers(values),
        DecodingResult::I64(values) => integers(values),
        DecodingResult::F16(values) => floats(values, EXACT_F16),
        DecodingResult::F32(values) => floats(values, EXACT_F32),
        DecodingResult::F64(values) => floats(values, EXACT_F64),
    }
}

/// The labels of a page without a directory of its own.
fn raw(bytes: &[u8], page: &Page) -> Decoded<Array3<u32>> {
    check(page)?;
    macro_rules! integers {
        ($type:ty) => {
            integers(numbers(bytes, page.big_endian, |v: $type| v))
        };
    }
    let labels = match (page.format, page.bits) {
        (1, 8) => integers!(u8),
        (1, 16) => integers!(u16),
        (1, 32) => integers!(u32),
        (1, 64) => integers!(u64),
        (2, 8) => integers!(i8),
        (2, 16) => integers!(i16),
        (2, 32) => integers!(i32),
        (2, 64) => integers!(i64),
        (3, 16) => floats(numbers(bytes, page.big_endian, |v: f16| v), EXACT_F16),
        (3, 32) => floats(numbers(bytes, page.big_endian, |v: f32| v), EXACT_F32),
        (3, 64) => floats(numbers(bytes, page.big_endian, |v: f64| v), EXACT_F64),
        (format, bits) => Err(format!("labels of {bits} bits (format {format}) are not supported")),
    }?;
    from_samples(page.height as usize, page.width as usize, 1, labels)
}
