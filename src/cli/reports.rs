//! The pictures and arrays that `flowmask evaluate` and `flowmask styles` write, which are no inputs of a later run.

use std::path::Path;

/// The beginning and the end of each name, and the file that was written beside it. A file of the user's that has such a
/// name, but not that neighbour, is not ours.
pub const REPORTS: [(&str, &str, &str); 4] = [
    ("ap", ".png", "ap.svg"),
    ("gallery_", ".png", "gallery.html"),
    ("styles", ".png", "styles.svg"),
    ("styles", ".npy", "styles.csv"),
];

/// Whether a file that was found in a folder is such a picture or array.
pub fn is_report(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let written = |&&(begin, end, beside): &&(&str, &str, &str)| {
        let middle = name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
        let fits = middle.is_some_and(|middle| middle.is_empty() != begin.ends_with('_'));
        fits && path.with_file_name(beside).is_file()
    };
    REPORTS.iter().any(|report| written(&report))
}

#[cfg(test)]
mod tests {
    use super::super::inputs::tests::dir_with;
    use super::*;

    #[test]
    fn a_report_has_the_name_and_the_neighbour_of_one() {
        let ours = ["ap.png", "gallery_a_2.png", "gallery_b.png", "styles.png", "styles.npy"];
        let theirs = ["ap1.png", "gallery_.png", "styles2.npy", "ap.tif", "ap.svg", "styles.csv"];
        let beside = ["gallery.html", "styles.svg"];
        let dir = dir_with(&[&ours[..], &theirs, &beside].concat());
        let found = |name: &&&str| is_report(&dir.path().join(name));
        assert_eq!(ours.iter().filter(found).count(), ours.len());
        assert_eq!(theirs.iter().filter(found).count(), 0);
        let alone = dir_with(&ours);
        assert!(ours.iter().all(|name| !is_report(&alone.path().join(name))));
    }
}
