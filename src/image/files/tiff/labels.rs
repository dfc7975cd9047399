//! Labels in the pages of a TIFF, as exact as the file has them. Every page is a plane.

use ndarray::{Array3, ArrayD, IxDyn};

use super::super::labels::numbers::{EXACT_F16, EXACT_F32, EXACT_F64, floats, integers};
use super::super::labels::{LabelStack, arrange, colours};
use super::super::options::ReadOptions;
use super::super::samples::Decoded;
use super::codec::JPEG;
use super::directory::Page;
use super::numbers::Numbers;
use super::page::assemble;
use super::{Planes, one_warning};
use crate::memory::room;

/// Decodes the pages. Where no axis is named z, all of them are one volume.
pub(in super::super) fn decode(bytes: Vec<u8>, options: &ReadOptions) -> Decoded<LabelStack> {
    let Planes { pages, axes, own, pixel_size, notes } = super::planes(bytes, options, read)?;
    let (height, width) = pages.first().map_or((0, 0), |page| (page.dim().0, page.dim().1));
    let shape: Vec<usize> = axes.iter().map(|axis| axis.length).chain([height, width]).collect();
    let letters: Vec<char> = axes.iter().map(|axis| axis.letter).chain(own).collect();
    let (count, several) = (pages.len(), pages.len() > 1);
    let mut labels = room(if several { count * height * width } else { 0 });
    for page in pages {
        let (page, _) = page.into_raw_vec_and_offset();
        if several { labels.extend(page) } else { labels = page }
    }
    let labels = ArrayD::from_shape_vec(IxDyn(&shape), labels);
    let mut stack = arrange(labels.map_err(|_| "pages of different sizes")?, &letters, count)?;
    stack.layout.pixel_size = pixel_size;
    stack.notes = one_warning(notes);
    Ok(stack)
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
