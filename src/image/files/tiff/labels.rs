//! Labels in the pages of a TIFF, as exact as the file has them. Every page is a plane.

use ndarray::{Array3, Array4};

use super::super::axes::place;
use super::super::labels::colours;
use super::super::labels::numbers::{EXACT_F16, EXACT_F32, EXACT_F64, floats, integers};
use super::super::samples::Decoded;
use super::codec::JPEG;
use super::directory::Page;
use super::numbers::Numbers;
use super::page::assemble;
use crate::image::Axis;
use crate::memory::room;

/// Decodes the pages as `[volumes, planes, height, width]`: the planes of a volume run over z. Where no axis is named
/// z, all pages are one volume.
pub(in super::super) fn decode(bytes: Vec<u8>) -> Decoded<Array4<u32>> {
    let (pages, axes) = super::planes(bytes, read)?;
    let (height, width) = pages.first().map_or((0, 0), |page| (page.dim().0, page.dim().1));
    let depth: usize = axes.iter().filter(|axis| axis.letter == 'Z').map(|axis: &Axis| axis.length).product();
    let depth = if depth > 1 { depth } else { pages.len() };
    let shape = (pages.len() / depth.max(1), depth, height, width);
    let mut order: Vec<usize> = (0..pages.len()).collect();
    order.sort_by_cached_key(|&index| place(index, &axes));
    let mut pages: Vec<Option<Array3<u32>>> = pages.into_iter().map(Some).collect();
    let several = pages.len() > 1;
    let mut labels = room(if several { pages.len() * height * width } else { 0 });
    for page in order.into_iter().filter_map(|index| pages[index].take()) {
        let (page, _) = page.into_raw_vec_and_offset();
        if several { labels.extend(page) } else { labels = page }
    }
    Array4::from_shape_vec(shape, labels).map_err(|_| "pages of different sizes".into())
}

/// Reads a page.
fn read(file: &[u8], page: &Page) -> Decoded<Array3<u32>> {
    check(page)?;
    assemble(file, page, whole)
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

/// The labels of a strip or tile.
fn whole(chunk: Numbers) -> Decoded<Vec<u32>> {
    match chunk {
        Numbers::U8(values) => integers(values),
        Numbers::U16(values) => integers(values),
        Numbers::U32(values) => Ok(values),
        Numbers::U64(values) => integers(values),
        Numbers::I8(values) => integers(values),
        Numbers::I16(values) => integers(values),
        Numbers::I32(values) => integers(values),
        Numbers::I64(values) => integers(values),
        Numbers::F16(values) => floats(values, EXACT_F16),
        Numbers::F32(values) => floats(values, EXACT_F32),
        Numbers::F64(values) => floats(values, EXACT_F64),
    }
}
