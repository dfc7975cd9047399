//! Writers of label images, and of others: TIFF, PNG and NPY.

use std::io::{self, Seek, Write};

use ndarray::ArrayView2;
use tiff::TiffError;
use tiff::encoder::colortype::ColorType;
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, TiffKind, TiffValue};
use tiff::tags::Tag;

use super::describe;
use crate::image::Layout;
use crate::mark::SOFTWARE;
use crate::npy::{self, Number};

/// The largest pixel data of a classic TIFF, in bytes. Its offsets end at 2^32, and the directories need some space too.
const MAX_CLASSIC: u64 = (1 << 32) - (1 << 24);

/// Writes one page for each plane. The first page has a description of the axes and the size of a pixel.
pub(super) fn tif<W: Write + Seek, T: Copy, C: ColorType>(
    writer: W,
    masks: &[ArrayView2<T>],
    layout: &Layout,
    narrow: fn(T) -> C::Inner,
) -> io::Result<()>
where
    C::Inner: Copy,
    [C::Inner]: TiffValue,
{
    // Deflate can make a page a little longer.
    let bytes = masks.iter().map(|plane| plane.len() as u64 * size_of::<C::Inner>() as u64 * 65 / 64 + 4096);
    let result = if bytes.sum::<u64>() < MAX_CLASSIC {
        TiffEncoder::new(writer).and_then(|encoder| pages::<_, _, _, C>(encoder, masks, layout, narrow))
    } else {
        TiffEncoder::new_big(writer).and_then(|encoder| pages::<_, _, _, C>(encoder, masks, layout, narrow))
    };
    result.map_err(of_tiff)
}

fn pages<W: Write + Seek, K: TiffKind, T: Copy, C: ColorType>(
    encoder: TiffEncoder<W, K>,
    masks: &[ArrayView2<T>],
    layout: &Layout,
    narrow: fn(T) -> C::Inner,
) -> Result<(), TiffError>
where
    C::Inner: Copy,
    [C::Inner]: TiffValue,
{
    let mut encoder = encoder.with_compression(Compression::Deflate(DeflateLevel::Fast));
    for (index, plane) in masks.iter().enumerate() {
        let (height, width) = plane.dim();
        let mut page = encoder.new_image::<C>(u32::try_from(width)?, u32::try_from(height)?)?;
        if index == 0 {
            page.encoder().write_tag(Tag::Software, SOFTWARE)?;
            if let Some(text) = describe::text(layout, (height, width)) {
                page.encoder().write_tag(Tag::ImageDescription, text.as_str())?;
            }
            let size = &layout.pixel_size;
            if let (Some(x), Some(y)) = (size.x.or(size.y), size.y.or(size.x))
                && let (Some(x), Some(y)) = (describe::resolution(x), describe::resolution(y))
            {
                page.encoder().write_tag(Tag::XResolution, x)?;
                page.encoder().write_tag(Tag::YResolution, y)?;
                page.encoder().write_tag(Tag::ResolutionUnit, describe::unit(size).to_u16())?;
            }
        }
        page.write_data(&plane.iter().map(|&label| narrow(label)).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn of_tiff(error: TiffError) -> io::Error {
    match error {
        TiffError::IoError(e) => e,
        e => io::Error::other(e),
    }
}

/// Writes red, green and blue of 16 bits.
pub(super) fn rgb_tif(
    writer: impl Write + Seek,
    (height, width): (usize, usize),
    values: &[u16],
) -> io::Result<()> {
    let write = || {
        let mut encoder =
            TiffEncoder::new(writer)?.with_compression(Compression::Deflate(DeflateLevel::Fast));
        let size = (u32::try_from(width)?, u32::try_from(height)?);
        let mut page = encoder.new_image::<tiff::encoder::colortype::RGB16>(size.0, size.1)?;
        page.encoder().write_tag(Tag::Software, SOFTWARE)?;
        page.write_data(values)
    };
    write().map_err(of_tiff)
}

/// Writes a 16-bit grey PNG. Labels must fit: [`super::save_labels`] checks it.
pub(super) fn png(writer: impl Write, plane: ArrayView2<u32>) -> io::Result<()> {
    let bytes: Vec<u8> = plane.iter().flat_map(|&label| (label as u16).to_be_bytes()).collect();
    encode_png(writer, plane.dim(), png::ColorType::Grayscale, png::BitDepth::Sixteen, &bytes)
}

/// Writes rows of samples as a PNG.
pub(crate) fn encode_png(
    writer: impl Write,
    (height, width): (usize, usize),
    color: png::ColorType,
    depth: png::BitDepth,
    bytes: &[u8],
) -> io::Result<()> {
    let side = |n| u32::try_from(n).map_err(io::Error::other);
    let encode = || -> Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::new(writer, side(width)?, side(height)?);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.add_text_chunk("Software".into(), SOFTWARE.into())?;
        let mut page = encoder.write_header()?;
        page.write_image_data(bytes)?;
        page.finish()
    };
    encode().map_err(|e| match e {
        png::EncodingError::IoError(e) => e,
        e => io::Error::other(e),
    })
}

/// Writes an array of the axes of the planes, and then height and width.
pub(super) fn npy<V: Copy, T: Number>(
    writer: impl Write,
    masks: &[ArrayView2<V>],
    layout: &Layout,
    narrow: fn(V) -> T,
) -> io::Result<()> {
    let (height, width) = masks.first().map_or((0, 0), |plane| plane.dim());
    let shape: Vec<usize> = layout.axes.iter().map(|axis| axis.length).chain([height, width]).collect();
    npy::write(writer, &shape, masks.iter().flatten().map(|&label| narrow(label)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use tiff::encoder::colortype::Gray32;

    #[test]
    fn a_bigtiff_is_read_like_a_classic_one() {
        let planes = [Array2::from_elem((3, 5), 7_u32), Array2::from_elem((3, 5), 70_000)];
        let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, content: io::Cursor<Vec<u8>>| {
            let path = folder.path().join(name);
            std::fs::write(&path, content.get_ref()).unwrap();
            (content.into_inner()[2], crate::image::read(&path).unwrap())
        };
        let mut classic = io::Cursor::new(Vec::new());
        let layout = Layout::default().axes(vec![crate::image::Axis { letter: 'Z', length: 2 }]);
        tif::<_, _, Gray32>(&mut classic, &views, &layout, |v| v).unwrap();
        let mut big = io::Cursor::new(Vec::new());
        pages::<_, _, _, Gray32>(TiffEncoder::new_big(&mut big).unwrap(), &views, &layout, |v| v).unwrap();
        let (classic, big) = (read("classic.tif", classic), read("big.tif", big));
        assert_eq!((classic.0, big.0, classic.1.planes.len()), (42, 43, 2));
        assert_eq!(classic.1, big.1);
    }
}
