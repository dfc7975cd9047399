//! Labels in PNG files: the numbers that the file holds, be they grey values or places in a palette.

use ndarray::{ArrayD, IxDyn};
use png::{BitDepth, ColorType, Transformations};

use super::super::letters::{Described, UNKNOWN, of_labels};
use super::super::options::ReadOptions;
use super::super::png::{frame, open};
use super::super::samples::{Decoded, keep};
use super::super::tiff::unpack;
use super::stack::{LabelStack, arrange};
use crate::memory::collected;

pub(super) fn decode(bytes: &[u8], options: &ReadOptions) -> Decoded<LabelStack> {
    let mut reader = open(bytes, Transformations::IDENTITY, 1, options.memory)?;
    let channels = match reader.info().color_type {
        ColorType::Grayscale | ColorType::Indexed => 1,
        // Opacity is ignored.
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => return Err(super::colours(3)),
        ColorType::Rgba => return Err(super::colours(4)),
    };
    let (height, width) = (reader.info().height as usize, reader.info().width as usize);
    let buffer = frame(&mut reader)?;
    let samples: Vec<u32> = match reader.output_color_type().1 {
        BitDepth::Sixteen => {
            let labels = buffer.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]]).into());
            collected(buffer.len() / 2, labels)
        }
        BitDepth::Eight => collected(buffer.len(), buffer.into_iter().map(u32::from)),
        bits => unpack(&buffer, bits as u64, width, |label| label),
    };
    let array = Described { shape: &[height, width], letters: &[UNKNOWN; 2], most_channels: 0 };
    let letters = of_labels(&array, options)?;
    let labels = ArrayD::from_shape_vec(IxDyn(&[height, width]), keep(samples, channels, 1));
    arrange(labels.map_err(|e| e.to_string())?, &letters, 1)
}
