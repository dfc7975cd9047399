//! Patterns such as `scans/**/*_dapi.tif`, and the folders below a folder.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use flowmask::{Error, Result};
use glob::Pattern;
use walkdir::WalkDir;

pub fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// The files and folders that a pattern stands for. A part of it that has brackets and is there by that name, such as the
/// folder `plate [1]`, stands for itself. `**` is a folder and all folders below it, each of them once, so links that lead
/// back to a folder above end. Folders that cannot be read go into `failed`.
pub fn expand(pattern: &Path, failed: &mut Vec<(PathBuf, Error)>) -> Result<Vec<PathBuf>> {
    let mut parts: Vec<Component> = pattern.components().collect();
    parts.dedup_by(|a, b| a == b && a.as_os_str() == "**");
    let mut found = Vec::new();
    match_parts(Path::new(""), &parts, &mut found, failed).map_err(|reason| wrong(pattern, reason))?;
    Ok(found)
}

/// Adds what `parts` stand for in the folder `base`.
fn match_parts(
    base: &Path,
    parts: &[Component],
    found: &mut Vec<PathBuf>,
    failed: &mut Vec<(PathBuf, Error)>,
) -> Result<(), String> {
    let Some((first, rest)) = parts.split_first() else {
        found.push(base.into());
        return Ok(());
    };
    let itself = base.join(first);
    let name = first.as_os_str();
    let has_wildcard = name.to_string_lossy().contains(['*', '?']);
    if !has_wildcard && (!is_pattern(name.as_ref()) || fs::symlink_metadata(&itself).is_ok()) {
        return match rest.is_empty() && !itself.exists() {
            true => Ok(()),
            false => match_parts(&itself, rest, found, failed),
        };
    }
    if name == "**" {
        for folder in folders(base, failed) {
            match_parts(&folder, rest, found, failed)?;
        }
        return Ok(());
    }
    let pattern = name.to_str().ok_or("the pattern is not UTF-8")?;
    let wrong = |error: glob::PatternError| format!("is neither there nor a pattern: {}", error.msg);
    let pattern = Pattern::new(pattern).map_err(wrong)?;
    let here = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    if !here.is_dir() {
        return Ok(());
    }
    match fs::read_dir(here).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()) {
        Ok(entries) => {
            let names = entries.iter().map(fs::DirEntry::file_name);
            for name in names.filter(|name| pattern.matches(&name.to_string_lossy())) {
                match_parts(&base.join(name), rest, found, failed)?;
            }
        }
        Err(source) => failed.push((here.into(), Error::Read { path: here.into(), source })),
    }
    Ok(())
}

/// The folder and all folders below it, except hidden ones, each of them once although links may lead to it in several
/// ways or round in a circle. Folders that cannot be read go into `failed`.
pub fn folders(base: &Path, failed: &mut Vec<(PathBuf, Error)>) -> Vec<PathBuf> {
    let root = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let mut seen = HashSet::new();
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter().filter_entry(|entry| {
        let hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_new = |path: PathBuf| seen.insert(path);
        entry.file_type().is_dir() && !hidden && entry.path().canonicalize().is_ok_and(is_new)
    });
    let mut found = Vec::new();
    for entry in walk {
        match entry {
            Ok(entry) if base.as_os_str().is_empty() => {
                found.push(entry.path().strip_prefix(root).unwrap_or(entry.path()).into());
            }
            Ok(entry) => found.push(entry.into_path()),
            // A link to a folder above, or to nothing: what it names is elsewhere, or nowhere.
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => {
                let path = error.path().unwrap_or(base).to_path_buf();
                let is_broken_link = fs::symlink_metadata(&path).is_ok_and(|data| data.is_symlink());
                if let (Some(source), false) = (error.into_io_error(), is_broken_link) {
                    failed.push((path.clone(), Error::Read { path, source }));
                }
            }
        }
    }
    found
}

fn wrong(path: &Path, reason: String) -> Error {
    Error::ImageFile { path: path.into(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with empty files at these paths.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn found(dir: &tempfile::TempDir, pattern: &str) -> Vec<String> {
        let mut failed = Vec::new();
        let mut found: Vec<String> = expand(&dir.path().join(pattern), &mut failed)
            .unwrap()
            .iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().to_string_lossy().replace('\\', "/"))
            .collect();
        assert!(failed.is_empty(), "{failed:?}");
        found.sort();
        found
    }

    #[test]
    fn parts_match_names_and_two_stars_any_number_of_folders() {
        let dir = tree(&["a.tif", "x/b.tif", "x/y/c.tif", "x/y/d.png", ".hidden/e.tif"]);
        assert_eq!(found(&dir, "*.tif"), ["a.tif"]);
        assert_eq!(found(&dir, "?/[a-c].tif"), ["x/b.tif"]);
        assert_eq!(found(&dir, "**/*.tif"), ["a.tif", "x/b.tif", "x/y/c.tif"]);
        assert_eq!(found(&dir, "**/**/y/../*.tif"), ["x/y/../b.tif"]);
        assert_eq!(found(&dir, "**/y/*"), ["x/y/c.tif", "x/y/d.png"]);
        assert_eq!(found(&dir, "z/*.tif"), [""; 0]);
    }

    #[test]
    fn a_folder_with_brackets_in_its_name_stands_for_itself() {
        let dir = tree(&["plate [1]/a.tif", "plate 1/b.tif", "[/c.tif"]);
        assert_eq!(found(&dir, "plate [1]/*.tif"), ["plate [1]/a.tif"]);
        assert_eq!(found(&dir, "[/*.tif"), ["[/c.tif"]);
        fs::remove_dir_all(dir.path().join("plate [1]")).unwrap();
        assert_eq!(found(&dir, "plate [1]/*.tif"), ["plate 1/b.tif"]);
        assert!(expand(&dir.path().join("x[/*.tif"), &mut Vec::new()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_round_in_a_circle_end_and_what_they_lead_to_is_found_once() {
        let dir = tree(&["x/a.tif", "elsewhere/b.tif"]);
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, dir.path().join(at)).unwrap();
        (0..12).for_each(|i| link("..", &format!("x/up{i}")));
        link("nowhere", "x/broken");
        link("../elsewhere", "x/other");
        link("../x", "elsewhere/back");
        assert_eq!(found(&dir, "x/**/*.tif"), ["x/a.tif", "x/other/b.tif"]);
        // By the name that sorts first.
        assert_eq!(found(&dir, "**/*.tif"), ["elsewhere/b.tif", "elsewhere/back/a.tif"]);
    }
}
