//! The pages of a TIFF and the tags that say how they are stored.
//!
//! The crate `tiff` interprets colours while it unpacks (it inverts white-is-zero, drops extra samples with the
//! wrong predictor stride, refuses palettes), its arithmetic trusts the sizes, and it reads the tiles at the
//! edges row by row, which its LZW does not survive. So the tags are read here first: the sizes are checked, and
//! every page is declared black-is-zero and its sides multiples of the tiles, with which the crate returns whole
//! tiles with all samples as they are stored.

use std::collections::HashSet;

use super::super::samples::Decoded;
use super::super::size;
use super::entry::{Entry, Layout};

/// The directory of one page (TIFF 6.0, sections 2 and 8).
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    /// Its number in the chain of directories.
    pub index: usize,
    pub width: u64,
    pub height: u64,
    pub samples: u16,
    pub bits: u64,
    /// 1 unsigned, 2 signed, 3 floating point.
    pub format: u64,
    pub compression: u64,
    pub photometric: u64,
    /// Each sample in strips or tiles of its own.
    pub planar: bool,
    /// The fourth sample of RGB is opacity.
    pub alpha: bool,
    /// Bits of a byte from the lowest up.
    pub reversed_bits: bool,
    /// A smaller copy of another page.
    pub reduced: bool,
    /// Width and height of a tile.
    pub tile: Option<(u64, u64)>,
    /// The place of the first strip or tile in the file.
    pub offset: u64,
    pub big_endian: bool,
    pub description: Option<String>,
}

/// Photometric interpretations of TIFF 6.0.
pub(super) const RGB: u64 = 2;
pub(super) const YCBCR: u64 = 6;
/// JPEG after technical note 2.
pub(super) const JPEG: u64 = 7;

impl Page {
    /// Refuses what cannot be read, and sizes that cannot be true.
    pub fn check(&self) -> Decoded<()> {
        size::samples(self.height, self.width, self.samples.into())?;
        if let Some((width, height)) = self.tile {
            size::samples(height, width, self.samples.into()).map_err(|e| format!("tiles: {e}"))?;
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

    /// Whether both hold pixels of the same number and type.
    pub fn same_pixels(&self, other: &Page) -> bool {
        let kind = |p: &Page| (p.width, p.height, p.samples, p.bits, p.format);
        kind(self) == kind(other) && self.check().is_ok()
    }

    /// Width and height with the padding of the tiles.
    pub fn padded(&self) -> (u64, u64) {
        let pad = |side: u64, tile: u64| side.checked_next_multiple_of(tile).unwrap_or(side);
        match self.tile {
            Some((width, height)) => (pad(self.width, width), pad(self.height, height)),
            None => (self.width, self.height),
        }
    }

    /// The bytes of the unpacked pixels, or of one tile when that is more. The sizes were checked.
    pub fn bytes(&self) -> u64 {
        let (width, height) = self.tile.unwrap_or((0, 0));
        let pixels = (self.width * self.height).max(width * height);
        pixels * u64::from(self.samples) * self.bits.div_ceil(8)
    }
}

/// All pages, in the order of the file. In `bytes` each is made black-is-zero and as large as its tiles.
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
    // Of a repeated tag the crate takes the last.
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
    // A number of samples beyond the type is as wrong as none, and refused like it.
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
