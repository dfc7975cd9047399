//! Writer of ImageJ's regions.

use std::io::{self, Cursor, Seek, Write};

use ndarray::ArrayView2;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::roi::{self, Position};
use super::{Contour, batches, contours, planes};
use crate::atomic::{Destination, write_atomic};
use crate::image::Layout;
use crate::mark::SOFTWARE;
use crate::{Error, Result};

/// So many regions are packed by one thread.
const PACKED: usize = 64;

/// Writes the outlines of the cells as regions (ROIs) of ImageJ in a zip file, which its ROI Manager opens. Each plane is
/// `[height, width]` with 0 for background, all have the same size, and `layout` says how they lie
/// ([`Stack::layout`](crate::Stack::layout)).
///
/// The points are those of [`contours`](super::contours()), and the files in the archive are byte for byte those of cellpose's
/// `--save_rois`, but for the names: cellpose draws them by lot (UUIDs), and here a region is called after its label, such as
/// `12`, and in a stack after its place too, counted from 1, such as `12_t2_z3`. The order is that of the planes, then of
/// the labels. A cell without an outline has no region, and one with several parts has one for the part with the longest.
/// In a stack each region has the slice, or the channel, depth and time, that ImageJ gives to one drawn there.
///
/// As in cellpose, the points are the outermost pixels. ImageJ draws a polygon along the upper left corners of these, so the
/// area that it measures is smaller than the cell: areas are better taken from the labels.
///
/// # Errors
/// [`Error::Image`] when there are no planes, a plane has no pixels, planes differ in size or do not fill the axes;
/// [`Error::Labels`] for images or outlines longer than ImageJ's numbers; [`Error::Write`] when the file cannot be written;
/// [`Error::Exists`] when one there must not be replaced.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cells_rois.zip");
/// let masks = ndarray::array![[0, 7, 7, 7], [0, 7, 7, 7]];
/// flowmask::output::save_rois(&path, &[masks.view()], &Default::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_rois(to: impl Into<Destination>, masks: &[ArrayView2<u32>], layout: &Layout) -> Result<()> {
    let to = to.into();
    planes::check(masks, layout)?;
    let (height, width) = masks[0].dim();
    if height.max(width) > roi::MAX_FLOAT {
        let reason = format!("ImageJ knows coordinates up to {}, not {}", roi::MAX_FLOAT, height.max(width));
        return Err(Error::labels(to.path(), reason));
    }
    let path = to.path().to_owned();
    let mut refused = None;
    let written = write_atomic(to, |writer| {
        let mut archive = ZipWriter::new(writer);
        archive.set_comment(SOFTWARE)?;
        for (index, plane) in masks.iter().enumerate() {
            let contours: Vec<_> = contours(*plane).into_iter().filter(|c| !c.points.is_empty()).collect();
            if let Some(long) = contours.iter().find(|contour| contour.points.len() > roi::MAX_POINTS) {
                let reason = format!("the outline of cell {} is too long for ImageJ", long.label);
                refused = Some(Error::labels(&path, reason));
                return Err(io::ErrorKind::InvalidData.into());
            }
            add(&mut archive, &contours, &layout.place(index), index)?;
        }
        archive.finish()?;
        Ok(())
    });
    refused.map_or(written, Err)
}

/// Adds the regions of a plane.
fn add<W: Write + Seek>(
    archive: &mut ZipWriter<W>,
    contours: &[Contour],
    place: &[(char, usize)],
    plane: usize,
) -> io::Result<()> {
    let position = Position::new(place, plane);
    let suffix: String = place.iter().map(|(letter, index)| suffix(*letter, index + 1)).collect();
    let packs: Vec<&[Contour]> = contours.chunks(PACKED).collect();
    let pack = |contours: &&[Contour]| {
        let files = contours.iter().map(|contour| {
            let name = format!("{}{suffix}", contour.label);
            let file = roi::encode(contour, &name, position);
            (name + ".roi", file)
        });
        Ok(ZipArchive::new(Cursor::new(packed(files)?))?)
    };
    batches::in_order(&packs, pack, |pack| Ok(archive.merge_archive(pack)?))
}

/// The part of a name that tells a place on an axis.
fn suffix(letter: char, number: usize) -> String {
    let letter = if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { 'q' };
    format!("_{letter}{number}")
}

/// An archive of these files. They are not compressed, and have the earliest time that there is, so that the bytes are always
/// the same.
fn packed(files: impl Iterator<Item = (String, Vec<u8>)>) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, file) in files {
        archive.start_file(name, options)?;
        archive.write_all(&file)?;
    }
    Ok(archive.finish()?.into_inner())
}
