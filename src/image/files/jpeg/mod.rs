//! JPEG files.

mod whole;

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::limits;
use super::samples::{Decoded, from_samples};
use crate::image::{Image, Pixels, Stack};
use crate::memory::zeros;
use whole::guarded;

/// How many samples a byte can stand for: each block of 64 takes a bit for its mean, and a block of a color that is
/// stored at a quarter of the height and width becomes 16 blocks; so 18 bits become 48 blocks.
pub(super) const RATIO: u64 = 1366;

const INCOMPLETE: &str = "the JPEG is incomplete";

/// The samples of a picture, and its (width, height, channels).
pub(super) type Picture = ((usize, usize, usize), Vec<u8>);

/// The colors that [`picture`] returns.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Colors {
    /// Grey, or RGB.
    Shown,
    /// Those that the file stores, such as YCbCr.
    Stored,
}

/// Decodes a JPEG. Grey stays one channel; YCbCr, CMYK and YCCK become RGB.
pub(super) fn decode(bytes: &[u8], most: Option<u64>) -> Decoded<Stack> {
    let ((width, height, channels), samples) = picture(bytes, Colors::Shown, |(width, height, channels)| {
        let samples = limits::samples(height as u64, width as u64, channels as u64)?;
        limits::check(samples as u64, bytes.len(), RATIO, most)
    })?;
    let pixels = Pixels::U8(from_samples(height, width, channels, samples)?);
    let image = Image::new(pixels).map_err(|e| e.to_string())?;
    Ok(Stack::new(vec![image]))
}

/// Decodes a picture whose (width, height, channels) `check` accepts.
pub(super) fn picture(
    bytes: &[u8],
    colors: Colors,
    check: impl FnOnce((usize, usize, usize)) -> Decoded<()>,
) -> Decoded<Picture> {
    let bytes = guarded(bytes).ok_or(INCOMPLETE)?;
    // In strict mode a code that does not exist is an error. Otherwise the rest of the picture would be grey.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes), options);
    decoder.decode_headers().map_err(reason)?;
    let info = decoder.info().ok_or("the JPEG has no header")?;
    let space = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        Some(space) if colors == Colors::Stored => space,
        _ => ColorSpace::RGB,
    };
    let size = (usize::from(info.width), usize::from(info.height), space.num_components());
    check(size)?;
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let mut samples = zeros(size.0 * size.1 * size.2);
    decoder.decode_into(&mut samples).map_err(reason)?;
    Ok((size, samples))
}

fn reason(error: DecodeErrors) -> String {
    let text = error.to_string();
    // What the decoder says of the guard.
    if text.contains("Huffman") || text.contains("bits left") || matches!(error, DecodeErrors::ExhaustedData)
    {
        return INCOMPLETE.into();
    }
    format!("the JPEG is damaged ({})", text.escape_debug())
}
