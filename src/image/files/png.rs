//! PNG files.

use std::io::{Cursor, ErrorKind};

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use super::limits;
use super::samples::{Decoded, from_samples, keep};
use crate::image::{Image, Pixels, Stack};
use crate::memory::{collected, zeros};

/// Decodes a PNG. Palettes become colours, 1, 2 and 4 bits are scaled to the range of 8 bits, opacity is ignored.
pub(super) fn decode(bytes: &[u8], most: Option<u64>) -> Decoded<Stack> {
    read(bytes, most).map(|image| Stack::new(vec![image]))
}

fn read(bytes: &[u8], most: Option<u64>) -> Decoded<Image> {
    // The largest pixel has four samples.
    let mut reader = open(bytes, Transformations::EXPAND, 4, most)?;
    let buffer = frame(&mut reader)?;
    let (color, depth) = reader.output_color_type();
    let (channels, kept) = match color {
        ColorType::Grayscale => (1, 1),
        ColorType::GrayscaleAlpha => (2, 1),
        ColorType::Rgba => (4, 3),
        ColorType::Rgb | ColorType::Indexed => (3, 3),
    };
    let (height, width) = (reader.info().height as usize, reader.info().width as usize);
    let pixels = match depth {
        BitDepth::Sixteen => {
            let samples = buffer.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]]));
            let samples = collected(buffer.len() / 2, samples);
            Pixels::U16(from_samples(height, width, kept, keep(samples, channels, kept))?)
        }
        _ => Pixels::U8(from_samples(height, width, kept, keep(buffer, channels, kept))?),
    };
    Image::new(pixels).map_err(|e| e.to_string())
}

/// Opens a PNG whose size is one that its file and `most` bytes can hold, when a pixel becomes at most `samples` numbers.
pub(super) fn open(
    bytes: &[u8],
    transformations: Transformations,
    samples: u64,
    most: Option<u64>,
) -> Decoded<Reader<Cursor<&[u8]>>> {
    // Memory is bounded by our own limits below; the crate's default limit would refuse large images.
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: usize::MAX });
    decoder.set_transformations(transformations);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(text)?;
    let (width, height) = header.size();
    limits::samples(height.into(), width.into(), samples)?;
    // PNG packs by deflate.
    limits::check(u64::from(height) * header.raw_row_length() as u64, bytes.len(), 1032, most)?;
    let reader = decoder.read_info().map_err(text)?;
    // Within the last color of a palette, the decoder would panic.
    let palette = reader.info().palette.as_deref().unwrap_or_default();
    if reader.info().color_type == ColorType::Indexed && !palette.len().is_multiple_of(3) {
        return Err(format!("the PNG is damaged (its palette has {} bytes)", palette.len()));
    }
    Ok(reader)
}

/// Unpacks the picture.
pub(super) fn frame(reader: &mut Reader<Cursor<&[u8]>>) -> Decoded<Vec<u8>> {
    let length = reader.output_buffer_size().ok_or("the image is larger than memory")?;
    let mut buffer = zeros::<u8>(length);
    reader.next_frame(&mut buffer).map_err(text)?;
    Ok(buffer)
}

fn text(error: DecodingError) -> String {
    match &error {
        DecodingError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => "the PNG is incomplete".into(),
        _ => format!("the PNG is damaged ({error})"),
    }
}
