//! The mark by which flowmask knows the files that it wrote.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::regular;

/// Name and version, as outputs state them.
pub(crate) const SOFTWARE: &str = concat!("flowmask ", env!("CARGO_PKG_VERSION"));

/// The mark is within the first bytes of a file, except in a TIFF, whose directory is at its end.
const HEAD: u64 = 4096;

/// What flowmask's files begin with, and what follows within the first [`HEAD`] bytes. A CSV file has no place for a
/// mark, so its columns stand for one.
const MARKS: [(&[u8], &[u8]); 6] = [
    (b"\x89PNG", b"tEXtSoftware\0flowmask "),
    (b"<svg", b"<metadata>flowmask "),
    (b"<!doctype html>", b"<meta name=\"generator\" content=\"flowmask "),
    (b"{", b"\"created_by\": \"flowmask "),
    (b"method,image,truth_cells,pred_cells,mean_ap,", b""),
    (b"file,style_0,style_1,", b""),
];

/// The last record of a zip file without its comment: where it says so, the comment names flowmask.
const ZIP_END: usize = 22;

/// Whether the file says that flowmask wrote it: by the software that a TIFF, a PNG, an SVG, a page, a JSON file or the
/// comment of a zip file names, or by the columns of a CSV file. NPY files, texts of outlines and models have no mark. A file that
/// cannot be read says nothing.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("labels.csv");
/// std::fs::write(&path, "made,by,hand")?;
/// assert!(!flowmask::output::is_own(&path));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn is_own(path: &Path) -> bool {
    let Ok(file) = regular::open(path) else { return false };
    let mut head = Vec::new();
    if (&file).take(HEAD).read_to_end(&mut head).is_err() {
        return false;
    }
    match head.get(..2) {
        Some(b"II" | b"MM") => is_own_tiff(file),
        Some(b"PK") => is_own_zip(file).unwrap_or(false),
        _ => MARKS.iter().any(|(start, mark)| head.starts_with(start) && contains(&head, mark)),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// The comment is at the end of the file, after its length.
fn is_own_zip(mut file: File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(HEAD)))?;
    let mut tail = Vec::new();
    file.take(HEAD).read_to_end(&mut tail)?;
    let ends_with_comment = |record: &[u8]| {
        let comment = &record[ZIP_END..];
        record.starts_with(b"PK\x05\x06")
            && record[ZIP_END - 2..ZIP_END] == (comment.len() as u16).to_le_bytes()
            && comment.starts_with(b"flowmask ")
    };
    let last = tail.len().saturating_sub(ZIP_END);
    Ok((0..last).any(|start| ends_with_comment(&tail[start..])))
}

#[cfg(feature = "files")]
fn is_own_tiff(mut file: File) -> bool {
    use std::io::BufReader;
    let software = || {
        file.rewind().ok()?;
        let mut decoder = tiff::decoder::Decoder::new(BufReader::new(file)).ok()?;
        decoder.get_tag_ascii_string(tiff::tags::Tag::Software).ok()
    };
    software().is_some_and(|name| name.starts_with("flowmask "))
}

/// Without the feature `files` no TIFF is written.
#[cfg(not(feature = "files"))]
fn is_own_tiff(_: File) -> bool {
    false
}
