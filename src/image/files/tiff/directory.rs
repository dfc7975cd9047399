//! The pages of a TIFF and the tags that say how they are stored.
//!
//! The crate `tiff` has some limits: it interprets colours while it unpacks (it inverts white-is-zero, drops extra
//! samples with the wrong predictor stride, and refuses palettes), its arithmetic trusts the sizes, and it reads tiles
//! at the edges row by row, which fails with LZW. So this module reads the tags first. It checks the sizes, and changes
//! the tags of every page in memory: to black-is-zero, and to a height and width that are multiples of the tiles. The
//! crate then returns whole tiles with all samples unchanged.

use std::collections::HashSet;

use super::super::limits;
use super::super::samples::Decoded;
use super::entry::{Entry, Layout};

/// The directory of one page (TIFF 6.0, sections 2 and 8).
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    /// The number of the page in the chain of directories, from 0.
    pub index: usize,
    pub width: u64,
    pub height: u64,
    pub samples: u16,
    pub bits: u64,
    /// The sample format: 1 is unsigned, 2 signed, 3 floating point.
    pub format: u64,
    pub compression: u64,
    pub photometric: u64,
    /// Whether each sample has its own strips or tiles.
    pub planar: bool,
    /// Whether the fourth sample of RGB is opacity.
    pub alpha: bool,
    /// Whether the bits of a byte are stored lowest first.
    pub reversed_bits: bool,
    /// Whether the page is a smaller copy of another one.
    pub reduced: bool,
    /// (width, height) of a tile, if the page has tiles.
    pub tile: Option<(u64, u64)>,
    /// Where the first strip or tile begins in the file.
    pub offset: u64,
    pub big_endian: bool,
    pub description: Option<String>,
}

/// Photometric interpretations of TIFF 6.0.
pub(super) const RGB: u64 = 2;
pub(super) const YCBCR: u64 = 6;
/// Compression by JPEG (TIFF technical note 2).
pub(super) const JPEG: u64 = 7;

impl Page {
    /// Refuses pages that cannot be read, and sizes that cannot be true.
    pub fn check(&self) -> Decoded<()> {
        limits::samples(self.height, self.width, self.samples.into())?;
        if let Some((width, height)) = self.tile {
            limits::samples(height, width, self.samples.into()).map_err(|e| format!("tiles: {e}"))?;
        }
        match self.compression {
            // None, LZW, deflate (two numbers), PackBits, Zstandard.
            1 | 5 | 8 | 32946 | 32773 | 50000 => {}
            JPEG if self.bits == 8 => {}
            n => return Err(format!("TIFF compression {n} with {} bits is not supported", self.bits)),
        }
        match (self.format, self.bits) {
            (1, 1 | 2 | 4 | 8 | 16 | 32 | 64) | (2, 8 | 16 | 32 | 64) | (3, 16 | 32 | 64) => {}
            (5 | 6, _) => return Err("complex numbers are not supported".into()),
            (_, n) => {
                return Err(format!("TIFF samples of {n} bits (format {}) are not supported", self.format));
            }
        }
        if self.photometric == YCBCR && (self.compression != JPEG || self.samples != 3 || self.planar) {
            return Err("TIFF colours in YCbCr are supported only with JPEG".into());
        }
        if self.reversed_bits {
            return Err("TIFF with the bits of a byte reversed (FillOrder 2) is not supported".into());
        }
        Ok(())
    }

    /// Whether both pages have the same size and type of pixels, and can be read.
    pub fn same_pixels(&self, other: &Page) -> bool {
        let kind = |p: &Page| (p.width, p.height, p.samples, p.bits, p.format);
        kind(self) == kind(other) && self.check().is_ok()
    }

    /// (width, height) with the padding of the tiles.
    pub fn padded(&self) -> (u64, u64) {
        let pad = |length: u64, tile: u64| length.checked_next_multiple_of(tile).unwrap_or(length);
        match self.tile {
            Some((width, height)) => (pad(self.width, width), pad(self.height, height)),
            None => (self.width, self.height),
        }
    }

    /// The number of bytes of the unpacked pixels, or of one tile if that is more. The sizes must have been checked.
    pub fn bytes(&self) -> u64 {
        let (width, height) = self.tile.unwrap_or((0, 0));
        let pixels = (self.width * self.height).max(width * height);
        pixels * u64::from(self.samples) * self.bits.div_ceil(8)
    }
}

/// All pages, in the order of the file. Changes `bytes`: each page becomes black-is-zero and as large as its tiles.
pub(super) fn pages(bytes: &mut [u8]) -> Decoded<Vec<Page>> {
    let cut = "the TIFF is incomplete";
    // The version is a 16-bit number below 256 in either byte order.
    let big = bytes.get(2..4).is_some_and(|version| version.contains(&43));
    let file = Layout { big_endian: bytes.first() == Some(&b'M'), big };
    let mut next = file.offset(bytes, if file.big { 8 } else { 4 }).ok_or(cut)?;
    let mut seen = HashSet::new();
    let mut pages = Vec::new();
    while next != 0 {
        if !seen.insert(next) {
            return Err("the pages of the TIFF form a loop".into());
        }
        let (entries, after) = file.entries(bytes, next).ok_or(cut)?;
        let page = page(&file, bytes, &entries, pages.len())?;
        let (width, height) = page.padded();
        for (tag, value) in [(256, width), (257, height), (262, 1)] {
            file.set_first(bytes, entries.iter().rfind(|e| e.tag == tag), value);
        }
        pages.push(page);
        next = after;
    }
    Ok(pages)
}

fn page(file: &Layout, bytes: &[u8], entries: &[Entry], index: usize) -> Decoded<Page> {
    // Where a tag is repeated, the crate takes the last one.
    let entry = |tag| entries.iter().rfind(|e| e.tag == tag);
    let first = |tag| match entry(tag) {
        None => Ok(None),
        Some(e) => {
            file.first(bytes, e).map(Some).ok_or(format!("tag {tag} of the TIFF is not a whole number"))
        }
    };
    let number = |tag, default| first(tag).map(|value| value.unwrap_or(default));
    let tile = match first(322)? {
        Some(width) => Some((width, number(323, 0)?)),
        None => None,
    };
    let photometric = number(262, 1)?;
    // Too many samples become 0, which is refused later.
    let samples = u16::try_from(number(277, 1)?).unwrap_or(0);
    Ok(Page {
        index,
        width: number(256, 0)?,
        height: number(257, 0)?,
        samples,
        bits: number(258, 1)?,
        format: number(339, 1)?,
        compression: number(259, 1)?,
        photometric,
        planar: number(284, 1)? == 2,
        alpha: photometric == RGB && samples == 4 && matches!(first(338)?, Some(1 | 2)),
        reversed_bits: number(266, 1)? == 2,
        reduced: number(254, 0)? & 1 == 1,
        tile,
        offset: number(if tile.is_some() { 324 } else { 273 }, 0)?,
        big_endian: file.big_endian,
        description: match entry(270) {
            Some(e) => Some(file.text(bytes, e).ok_or("the description of the TIFF is incomplete")?),
            None => None,
        },
    })
}
