//! BMP files.

use zune_bmp::BmpDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::limits;
use super::samples::{Decoded, from_samples, keep};
use crate::image::{Image, Pixels, Stack};
use crate::memory::zeros;

/// Two bytes of a run stand for 255 pixels with three samples.
const RATIO: u64 = 384;

/// Decodes a BMP. Palettes become colors, opacity is ignored.
pub(super) fn decode(bytes: &[u8], most: Option<u64>) -> Decoded<Stack> {
    let damaged = |_| "the BMP is incomplete or damaged, or of a kind that is not supported";
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = BmpDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().ok_or("the BMP has no header")?;
    if end(bytes, width, height).is_none_or(|end| end > bytes.len() as u64) {
        return Err("the BMP is incomplete".into());
    }
    let channels = decoder.colorspace().ok_or("the BMP has no header")?.num_components();
    let samples = limits::samples(height as u64, width as u64, channels as u64)?;
    limits::check(samples as u64, bytes.len(), RATIO, most)?;
    let mut buffer = zeros::<u8>(samples);
    decoder.decode_into(&mut buffer).map_err(damaged)?;
    let kept = if channels == 4 { 3 } else { channels };
    let pixels = Pixels::U8(from_samples(height, width, kept, keep(buffer, channels, kept))?);
    Ok(Stack::new(vec![Image::new(pixels).map_err(|e| e.to_string())?]))
}

/// Where the pixels end, by the header. The decoder takes what is missing for black.
fn end(bytes: &[u8], width: usize, height: usize) -> Option<u64> {
    let number = |at: usize| Some(u64::from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)));
    let start = number(10)?;
    // The oldest header has 12 bytes, no compression, and the bits of a pixel after two sizes of 16 bits.
    let (bits, compression) = match number(14)? {
        12 => (number(22)? >> 16, 0),
        _ => (number(26)? >> 16, number(30)?),
    };
    let pixels = match compression {
        1 | 2 => number(34)?,
        // A row is filled up to four bytes.
        _ => (width as u64 * bits).div_ceil(32) * 4 * height as u64,
    };
    Some(start + pixels)
}
