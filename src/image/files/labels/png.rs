//! Labels in PNG files: the numbers that the file holds, be they grey values or places in a palette.

use std::io::Cursor;

use ndarray::Array4;
use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::super::limits;
use super::super::samples::{Decoded, keep};
use super::super::tiff::unpack;

pub(super) fn decode(bytes: &[u8]) -> Decoded<Array4<u32>> {
    let text = |e: png::DecodingError| e.to_string();
    // Memory is bounded by our own limits below; the crate's default limit would refuse large images.
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: usize::MAX });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(text)?;
    let (width, height) = header.size();
    limits::samples(height.into(), width.into(), 1)?;
    // PNG packs by deflate.
    limits::check(u64::from(height) * header.raw_row_length() as u64, bytes.len(), 1032)?;
    let channels = match header.color_type {
        ColorType::Grayscale | ColorType::Indexed => 1,
        // Opacity is ignored.
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => return Err(super::colours(3)),
        ColorType::Rgba => return Err(super::colours(4)),
    };

    let mut reader = decoder.read_info().map_err(text)?;
    let length = reader.output_buffer_size().ok_or("the image is larger than memory")?;
    let mut buffer = limits::zeros::<u8>(length)?;
    reader.next_frame(&mut buffer).map_err(text)?;
    let samples: Vec<u32> = match reader.output_color_type().1 {
        BitDepth::Sixteen => {
            let labels = buffer.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]]).into());
            limits::collected(buffer.len() / 2, labels)?
        }
        BitDepth::Eight => limits::collected(buffer.len(), buffer.into_iter().map(u32::from))?,
        bits => unpack(&buffer, bits as u64, width as usize, |label| label)?,
    };
    let labels = keep(samples, channels, 1)?;
    Array4::from_shape_vec((1, 1, height as usize, width as usize), labels).map_err(|e| e.to_string())
}
