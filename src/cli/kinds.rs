//! Which files of a folder are images to segment.

use std::path::Path;

use flowmask::image;

use super::reports::is_report;

/// Endings, before the extension, of files that flowmask and cellpose write. Cellpose's mask and outline images end in
/// `_cp_masks`.
const OUTPUTS: [&str; 9] = [
    "_masks",
    "_masks_stitched",
    "_overlay",
    "_cp_output",
    "_flows",
    "_flows_0",
    "_flows_1",
    "_flows_2",
    "_cellprob",
];

/// What a file of a folder is.
#[derive(Debug, PartialEq)]
pub enum Kind {
    Image,
    /// An image in a format that is not read, by its extension.
    Unread(&'static str),
    /// An output of a run, a hidden file, or no image.
    Other,
}

/// Tells by its name what a file is. Files whose names begin with a dot are no images: on foreign disks, macOS puts a
/// `._NAME.png` beside each file.
pub fn of(path: &Path) -> Kind {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = stem(path);
    if stem.starts_with('.') {
        return Kind::Other;
    }
    if image::EXTENSIONS.contains(&extension.as_str()) {
        let is_image = path.is_file() && !is_output(path, &stem, &extension);
        return if is_image { Kind::Image } else { Kind::Other };
    }
    let unread = image::UNREADABLE.iter().find(|unread| **unread == extension);
    unread.map_or(Kind::Other, |unread| Kind::Unread(unread))
}

/// Tells whether a file can have the labels of a stack. Those that were stitched are an output.
pub fn of_labels(path: &Path) -> Kind {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = stem(path);
    let named = ["tif", "tiff", "npy"].contains(&extension.as_str()) && !stem.starts_with('.');
    let is_labels = named && !stem.ends_with("_stitched") && path.is_file() && !is_report(path);
    if is_labels { Kind::Image } else { Kind::Other }
}

fn is_output(path: &Path, stem: &str, extension: &str) -> bool {
    OUTPUTS.iter().any(|ending| stem.ends_with(ending))
        || (extension == "npy" && stem.ends_with("_seg"))
        || is_report(path)
}

pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
