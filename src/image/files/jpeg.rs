//! JPEG files.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::limits;
use super::samples::{Decoded, from_samples};
use crate::image::{Image, Pixels, Stack};

/// Decodes a JPEG. Grey stays one channel; YCbCr, CMYK and YCCK become RGB.
pub(super) fn decode(bytes: &[u8]) -> Decoded<Stack> {
    read(bytes).map(|image| Stack::new(vec![image]))
}

fn read(bytes: &[u8]) -> Decoded<Image> {
    // In strict mode an incomplete file is an error. Otherwise its missing part would be grey.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| e.to_string())?;
    let info = decoder.info().ok_or("the JPEG has no header")?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    let (space, channels) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
        _ => (ColorSpace::RGB, 3),
    };
    let samples = limits::samples(height as u64, width as u64, channels as u64)?;
    limits::check(samples as u64, bytes.len())?;
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(|e| e.to_string())?;
    Image::new(Pixels::U8(from_samples(height, width, channels, pixels)?)).map_err(|e| e.to_string())
}
