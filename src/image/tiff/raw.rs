//! Stacks with one directory, whose other pages follow the first without directories.
//!
//! ImageJ writes stacks above 4 GiB like this, because a classic TIFF has no offsets beyond; tifffile does when asked
//! to truncate.

use super::super::samples::{Decoded, from_samples, keep};
use super::super::{Pixels, size};
use super::directory::Page;

/// The `count` uncompressed pages from the place of `first` on.
pub(super) fn pages(bytes: &[u8], first: &Page, count: Option<usize>) -> Decoded<Vec<Pixels>> {
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

fn pixels(bytes: &[u8], page: &Page) -> Decoded<Pixels> {
    let samples = usize::from(page.samples);
    let (height, width) = (page.height as usize, page.width as usize);
    size::samples(page.height, page.width, page.samples.into())?;
    let kept = if page.alpha { samples - 1 } else { samples };
    macro_rules! numbers {
        ($type:ty, $variant:ident, $convert:expr) => {{
            let value = |b: &[u8]| {
                let mut raw = [0; size_of::<$type>()];
                raw.copy_from_slice(b);
                let number =
                    if page.big_endian { <$type>::from_be_bytes(raw) } else { <$type>::from_le_bytes(raw) };
                $convert(number)
            };
            let values = bytes.chunks_exact(size_of::<$type>()).map(value).collect();
            Ok(Pixels::$variant(from_samples(height, width, kept, keep(values, samples, kept))?))
        }};
    }
    match (page.format, page.bits) {
        (1, 8) => numbers!(u8, U8, |v| v),
        (1, 16) => numbers!(u16, U16, |v| v),
        (2, 8) => numbers!(i8, F32, f32::from),
        (2, 16) => numbers!(i16, F32, f32::from),
        (3, 32) => numbers!(f32, F32, |v| v),
        (format, bits) => {
            Err(format!("a stack without directories of {bits} bits (format {format}) is not supported"))
        }
    }
}
