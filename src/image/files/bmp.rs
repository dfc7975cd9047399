//! BMP files.

use zune_bmp::BmpDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::limits;
use super::samples::{Decoded, from_samples, keep};
use crate::image::{Image, Pixels, Stack};

/// Two bytes of a run stand for 255 pixels with three samples.
const RATIO: u64 = 384;

/// Decodes a BMP. Palettes become colors, opacity is ignored.
pub(super) fn decode(bytes: &[u8]) -> Decoded<Stack> {
    let damaged = |_| "the BMP is incomplete or damaged, or of a kind that is not supported";
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = BmpDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().ok_or("the BMP has no header")?;
    let channels = decoder.colorspace().ok_or("the BMP has no header")?.num_components();
    let samples = limits::samples(height as u64, width as u64, channels as u64)?;
    limits::check(samples as u64, bytes.len(), RATIO)?;
    let mut buffer = limits::zeros::<u8>(samples)?;
    decoder.decode_into(&mut buffer).map_err(damaged)?;
    let kept = if channels == 4 { 3 } else { channels };
    let pixels = Pixels::U8(from_samples(height, width, kept, keep(buffer, channels, kept))?);
    Ok(Stack { planes: vec![Image::new(pixels).map_err(|e| e.to_string())?] })
}
