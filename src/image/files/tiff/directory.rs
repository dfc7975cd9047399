//! The pages of a TIFF and the tags that say how they are stored.

use std::collections::HashSet;

use super::super::limits;
use super::super::samples::Decoded;
use super::codec::{self, JPEG};
use super::entry::{Entry, Layout};

/// The directory of one page (TIFF 6.0, sections 2 and 8).
#[derive(Clone, Debug, PartialEq)]
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
    /// Whether the last sample, the second of grey or the fourth of RGB, is opacity.
    pub alpha: bool,
    /// How numbers were made smaller before they were packed: 1 not at all, 2 by differences, 3 by differences of the
    /// bytes of floating point numbers.
    pub predictor: u64,
    /// Whether the bits of a byte are stored lowest first.
    pub reversed_bits: bool,
    /// Whether the page is a smaller copy of another one.
    pub reduced: bool,
    /// (width, height) of a tile, if the page has tiles.
    pub tile: Option<(u64, u64)>,
    /// The rows of a strip.
    pub strip: u64,
    pub layout: Layout,
    pub places: Places,
    /// The tables that all strips or tiles in JPEG share.
    pub tables: Option<Entry>,
    /// The options of CCITT group 3: bit 0 says that rows are coded by their differences from the row above.
    pub fax: u64,
    /// The numbers of pixels along x and y in a unit: 1 none, 2 an inch, 3 a centimetre.
    pub resolution: [Option<Entry>; 2],
    pub unit: u64,
    /// The planes of a MetaMorph stack, whose tag UIC2 has an entry for each; else 1.
    pub planes: u64,
    /// Of the first page alone: thousands of pages may share one long text.
    pub description: Option<String>,
}

/// Where the strips or tiles of a page lie.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Places {
    /// The tags of their offsets and of their lengths in bytes.
    Listed(Option<Entry>, Option<Entry>),
    /// One after another from this offset.
    From(u64),
}

/// Photometric interpretations of TIFF 6.0.
const RGB: u64 = 2;
pub(super) const YCBCR: u64 = 6;

impl Page {
    /// Refuses pages that cannot be read, and sizes that cannot be true.
    pub fn check(&self) -> Decoded<()> {
        limits::samples(self.height, self.width, self.samples.into())?;
        if let Some((width, height)) = self.tile {
            limits::samples(height, width, self.samples.into()).map_err(|e| format!("tiles: {e}"))?;
            // Tiles reach beyond the page: a page of a row could have any number of large ones.
            let across = self.width.div_ceil(width).saturating_mul(width);
            let down = self.height.div_ceil(height).saturating_mul(height);
            limits::samples(down.div_ceil(2), across, self.samples.into())
                .map_err(|_| format!("the tiles cover {down} by {across} pixels, more than can be read"))?;
        }
        codec::ratio(self).ok_or_else(|| codec::refusal(self.compression))?;
        match (self.format, self.bits) {
            (1, 1..=16 | 32 | 64) | (2, 8 | 16 | 32 | 64) | (3, 16 | 32 | 64) => {}
            (5 | 6, _) => return Err("complex numbers are not supported".into()),
            (_, n) => {
                return Err(format!("TIFF samples of {n} bits (format {}) are not supported", self.format));
            }
        }
        codec::check(self)?;
        if self.photometric == YCBCR && (self.compression != JPEG || self.samples != 3 || self.planar) {
            return Err("TIFF colours in YCbCr are supported only with JPEG".into());
        }
        Ok(())
    }

    /// Whether both pages have the same size and type of pixels, and can be read.
    pub fn same_pixels(&self, other: &Page) -> bool {
        let kind = |p: &Page| (p.width, p.height, p.samples, p.bits, p.format);
        kind(self) == kind(other) && self.check().is_ok()
    }

    /// Where the first strip or tile begins, of those that are listed.
    pub fn start(&self, bytes: &[u8]) -> Option<u64> {
        match &self.places {
            Places::Listed(Some(offsets), _) => self.layout.first(bytes, offsets),
            _ => None,
        }
    }

    /// (width, height) of a strip or tile.
    pub fn chunk(&self) -> (u64, u64) {
        self.tile.unwrap_or((self.width, self.strip.clamp(1, self.height.max(1))))
    }

    /// How many samples of a pixel lie side by side.
    pub fn depth(&self) -> u64 {
        if self.planar { 1 } else { self.samples.into() }
    }

    /// The number of bytes of a row of this many pixels, which is filled up to whole bytes. The sizes must have been
    /// checked.
    pub fn row_bytes(&self, columns: u64) -> u64 {
        columns.saturating_mul(self.depth()).saturating_mul(self.bits).div_ceil(8)
    }

    /// The number of bytes of the unpacked pixels, or of one tile if that is more. The sizes must have been checked.
    pub fn bytes(&self) -> u64 {
        let (width, height) = self.tile.unwrap_or((0, 0));
        let pixels = (self.width * self.height).max(width * height);
        pixels * u64::from(self.samples) * self.bits.div_ceil(8)
    }
}

/// All pages, in the order of the file.
pub(super) fn pages(bytes: &[u8]) -> Decoded<Vec<Page>> {
    let cut = "the TIFF is incomplete";
    // The version is a 16-bit number below 256 in either byte order.
    let big = bytes.get(2..4).is_some_and(|version| version.contains(&43));
    let file = Layout { big_endian: bytes.first() == Some(&b'M'), big };
    let mut next = file.offset(bytes, if file.big { 8 } else { 4 }).ok_or(cut)?;
    let mut seen = HashSet::new();
    let mut pages = Vec::new();
    // Each entry takes 12 bytes of the file or more, unless directories overlap.
    let mut room = bytes.len() / 12;
    while next != 0 {
        if !seen.insert(next) {
            return Err("the pages of the TIFF form a loop".into());
        }
        let (entries, after) = file.entries(bytes, next).ok_or(cut)?;
        room = room.checked_sub(entries.len()).ok_or("the directories of the TIFF overlap")?;
        pages.push(page(&file, bytes, &entries, pages.len())?);
        next = after;
    }
    Ok(pages)
}

fn page(file: &Layout, bytes: &[u8], entries: &[Entry], index: usize) -> Decoded<Page> {
    // Where a tag is repeated, the last one counts.
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
    // A number for each sample. Where they differ, 0 is refused later.
    let same = |tag, default| match first(tag)?.zip(entry(tag).and_then(|e| file.numbers(bytes, e))) {
        None => Ok(default),
        Some((value, mut all)) => Ok::<_, String>(if all.all(|n| n == value) { value } else { 0 }),
    };
    let photometric = number(262, 1)?;
    // Too many samples become 0, which is refused later.
    let samples = u16::try_from(number(277, 1)?).unwrap_or(0);
    Ok(Page {
        index,
        width: number(256, 0)?,
        height: number(257, 0)?,
        samples,
        bits: same(258, 1)?,
        format: same(339, 1)?,
        compression: number(259, 1)?,
        photometric,
        planar: number(284, 1)? == 2,
        alpha: matches!((photometric, samples), (0 | 1, 2) | (RGB, 4)) && matches!(first(338)?, Some(1 | 2)),
        predictor: number(317, 1)?,
        reversed_bits: number(266, 1)? == 2,
        reduced: number(254, 0)? & 1 == 1,
        tile,
        strip: number(278, u64::MAX)?,
        layout: *file,
        places: match tile {
            Some(_) => Places::Listed(entry(324).copied(), entry(325).copied()),
            None => Places::Listed(entry(273).copied(), entry(279).copied()),
        },
        tables: entry(347).copied(),
        fax: number(292, 0)?,
        resolution: [entry(282).copied(), entry(283).copied()],
        unit: first(296).unwrap_or_default().unwrap_or(2),
        planes: entry(33629).map_or(1, |uic2| uic2.count),
        description: match entry(270).filter(|_| index == 0) {
            Some(e) => Some(file.text(bytes, e).ok_or("the description of the TIFF is incomplete")?),
            None => None,
        },
    })
}
