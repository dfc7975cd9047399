//! Strips and tiles that are pictures of their own: JPEG and JPEG 2000.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::super::jpeg::{self, Colors, Picture};
use super::super::samples::Decoded;
use super::chunk::{DAMAGED, INCOMPLETE};
use super::codec::JPEG;
use super::directory::Page;
use crate::memory::{require, zeros};

const OTHER: &str = "it has another size than its page";

/// The samples of a picture, in the byte order of this machine. The last strip may have more rows than it needs.
pub(super) fn samples(
    file: &[u8],
    page: &Page,
    packed: &[u8],
    (width, height): (usize, usize),
) -> Decoded<Vec<u8>> {
    let depth = page.depth() as usize;
    let (size, mut samples) = match page.compression {
        JPEG => jpeg(file, page, packed, (width, height, depth))?,
        _ => jpeg2000(page, packed, (width, height, depth))?,
    };
    if size.0 != width || size.1 < height || size.2 != depth {
        return Err(OTHER.into());
    }
    samples.truncate(width * height * depth * (page.bits as usize / 8));
    Ok(samples)
}

fn jpeg(file: &[u8], page: &Page, packed: &[u8], size: (usize, usize, usize)) -> Decoded<Picture> {
    let tables = page.tables.and_then(|tables| page.layout.data(file, &tables));
    let joined: Vec<u8>;
    // The tables are a picture without pixels, from the mark of its start to the mark of its end.
    let packed = match (tables, packed) {
        (Some([0xff, 0xd8, tables @ .., 0xff, 0xd9]), [0xff, 0xd8, rest @ ..]) => {
            joined = [&[0xff, 0xd8], tables, rest].concat();
            &joined
        }
        _ => packed,
    };
    let picture = jpeg::picture(packed, Colors::Stored, |found| {
        // The encoder may have filled up the last strip, and only that.
        let fits =
            found.0 == size.0 && found.2 == size.2 && found.1 as u64 <= page.chunk().1.max(size.1 as u64);
        if fits { Ok(()) } else { Err(OTHER.into()) }
    });
    picture.map_err(|reason| format!("a strip or tile of the TIFF: {reason}"))
}

fn jpeg2000(page: &Page, packed: &[u8], expected: (usize, usize, usize)) -> Decoded<Picture> {
    let settings = DecodeSettings { resolve_palette_indices: false, strict: true, target_resolution: None };
    let image = Image::new(packed, &settings).map_err(|_| DAMAGED)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    if (width, height) != (expected.0, expected.1) {
        return Err(OTHER.into());
    }
    // The decoder's coefficients and samples, in single precision, of each of which it has a copy.
    require((width * height * expected.2 * 16) as u64, None);
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|_| DAMAGED)?;
    let components = decoded.components();
    let n = width * height;
    if components.iter().any(|c| c.samples().len() < n || u64::from(c.bit_depth()) > page.bits) {
        return Err(INCOMPLETE.into());
    }
    let bytes = page.bits as usize / 8;
    let mut samples = zeros(n * components.len() * bytes);
    for (i, pixel) in samples.chunks_exact_mut(components.len() * bytes).enumerate() {
        for (component, sample) in components.iter().zip(pixel.chunks_exact_mut(bytes)) {
            let value = component.samples()[i].round();
            match sample {
                [byte] => *byte = value as u8,
                _ => sample.copy_from_slice(&(value as u16).to_ne_bytes()),
            }
        }
    }
    Ok(((width, height, components.len()), samples))
}
