//! The compressions of TIFF: their numbers, their names, and how far each can compress.

use super::super::samples::Decoded;
use super::directory::Page;

pub(super) const NONE: u64 = 1;
pub(super) const FAX3: u64 = 3;
pub(super) const FAX4: u64 = 4;
pub(super) const LZW: u64 = 5;
/// JPEG by TIFF technical note 2.
pub(super) const JPEG: u64 = 7;
pub(super) const DEFLATE: u64 = 8;
/// The number that deflate had before it was registered.
pub(super) const DEFLATE_OLD: u64 = 32946;
pub(super) const PACKBITS: u64 = 32773;
/// JPEG 2000 of RGB, as Aperio's scanners write it.
pub(super) const APERIO_RGB: u64 = 33005;
pub(super) const JPEG2000: u64 = 34712;
pub(super) const LZMA: u64 = 34925;
pub(super) const ZSTD: u64 = 50000;

/// Numbers and names, from TIFF 6.0, libtiff's `tiff.h` and tifffile's table.
const NAMES: &[(u64, &str)] = &[
    (NONE, "none"),
    (2, "CCITT modified Huffman"),
    (FAX3, "CCITT group 3"),
    (FAX4, "CCITT group 4"),
    (LZW, "LZW"),
    (6, "JPEG of the old kind"),
    (JPEG, "JPEG"),
    (DEFLATE, "deflate"),
    (9, "JBIG"),
    (10, "JBIG"),
    (22610, "JPEG XR"),
    (32766, "NeXT"),
    (32771, "CCITT modified Huffman of whole words"),
    (PACKBITS, "PackBits"),
    (32809, "ThunderScan"),
    (32908, "Pixar film"),
    (32909, "Pixar log"),
    (DEFLATE_OLD, "deflate"),
    (32947, "Kodak DCS"),
    (33003, "JPEG 2000 of YCbCr"),
    (33004, "JPEG 2000 of YCbCr"),
    (APERIO_RGB, "JPEG 2000"),
    (33007, "JPEG"),
    (34661, "JBIG"),
    (34676, "SGI log luminance"),
    (34677, "SGI log luminance"),
    (JPEG2000, "JPEG 2000"),
    (34713, "Nikon NEF"),
    (34715, "JBIG2"),
    (34887, "LERC"),
    (34892, "lossy JPEG"),
    (LZMA, "LZMA"),
    (34926, "Zstandard of the old number"),
    (34927, "WebP"),
    (34933, "PNG"),
    (34934, "JPEG XR"),
    (ZSTD, "Zstandard"),
    (50001, "WebP"),
    (50002, "JPEG XL"),
    (52546, "JPEG XL"),
    (65000, "EER"),
    (65001, "EER"),
    (65002, "EER"),
];

/// How many bytes a byte of the packed data of a page can become at most; `None` if the method is not read.
pub(super) fn ratio(page: &Page) -> Option<u64> {
    Some(match page.compression {
        NONE => 1,
        // A white row takes a bit with group 4, and a code of more than a byte with group 3. Wider pages have no room for
        // white alone: 65 536 pixels are enough for any scanner.
        FAX3 | FAX4 => 8 * page.row_bytes(page.chunk().0).min(8192),
        // A code of 12 bits can stand for all but the first 258 of 4096 entries, each a byte longer than the last.
        LZW => 2560,
        DEFLATE | DEFLATE_OLD => 1032,
        // Two bytes for 128.
        PACKBITS => 64,
        JPEG => super::super::jpeg::RATIO,
        // An empty packet can stand for any number of pixels. A blank tile of a slide reaches about 1300.
        APERIO_RGB | JPEG2000 => 8192,
        // A match of 273 bytes is 14 decisions, each of at least 0.022 bits.
        LZMA => 7100,
        // A block of 4 bytes repeats one byte 131072 times.
        ZSTD => 32768,
        _ => return None,
    })
}

/// What to tell about a method that is not read.
pub(super) fn refusal(number: u64) -> String {
    let name = NAMES.iter().find(|(n, _)| *n == number).map(|(_, name)| format!("{name} "));
    let name = name.unwrap_or_default();
    format!(
        "TIFF compression {name}({number}) is not supported; convert the file, as with tiffcp -c lzw, or bfconvert"
    )
}

/// Refuses a page whose strips or tiles, by their packed lengths, cannot hold as many pixels as it declares.
pub(super) fn check_lengths(page: &Page, places: &[(u64, u64)]) -> Decoded<()> {
    // A strip or tile of length 0 was never written and is zero. Such a tile is seldom larger than this.
    const UNWRITTEN: u64 = 1 << 20;
    let ratio = ratio(page).ok_or_else(|| refusal(page.compression))?;
    let (columns, rows) = page.chunk();
    let each = page.row_bytes(columns).saturating_mul(rows);
    let room = |&(_, packed): &(u64, u64)| match packed {
        0 => UNWRITTEN,
        // The last strip may be shorter.
        n => n.saturating_mul(ratio).min(each),
    };
    let room = places.iter().map(room).fold(0, u64::saturating_add);
    let depth = u64::from(if page.planar { page.samples } else { 1 });
    let promised = page.row_bytes(page.width).saturating_mul(page.height).saturating_mul(depth);
    if promised > room {
        let packed = places.iter().map(|&(_, packed)| packed).fold(0, u64::saturating_add);
        return Err(format!("the TIFF promises {promised} bytes of pixels, and has {packed} bytes for them"));
    }
    Ok(())
}

/// Refuses samples that a method, or a predictor, cannot hold.
pub(super) fn check(page: &Page) -> Decoded<()> {
    let name = NAMES.iter().find(|(n, _)| *n == page.compression).map_or("", |(_, name)| name);
    let wrong = match page.compression {
        JPEG => page.bits != 8 || page.format != 1,
        APERIO_RGB | JPEG2000 => !matches!(page.bits, 8 | 16) || page.format != 1,
        FAX3 | FAX4 => page.bits != 1 || page.samples != 1,
        _ => false,
    };
    if wrong {
        let (samples, bits) = (page.samples, page.bits);
        return Err(format!(
            "TIFF compression {name} of {samples} samples with {bits} bits is not supported"
        ));
    }
    if page.compression == FAX3 && page.fax & 1 == 1 {
        return Err("TIFF compression CCITT group 3 with two dimensions is not supported".into());
    }
    match page.predictor {
        0 | 1 => Ok(()),
        2 if page.bits.is_multiple_of(8) => Ok(()),
        3 if page.format == 3 => Ok(()),
        n => Err(format!("TIFF predictor {n} of samples with {} bits is not supported", page.bits)),
    }
}
