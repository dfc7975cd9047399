//! Turns the inputs of a command (files, folders and patterns) into a list of image files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flowmask::{Error, Result};

use super::kinds::{self, Kind};
use super::pattern::{self, is_pattern};
use super::{args, pairs};

/// The images that were found, and the inputs that gave none, with the reason.
#[derive(Debug, Default)]
pub struct Found {
    pub images: Vec<PathBuf>,
    /// For an image in a folder below the one that the user named: the way from there to its folder.
    pub below: HashMap<PathBuf, PathBuf>,
    pub failed: Vec<(PathBuf, Error)>,
    /// What was left out and is worth a line.
    pub notes: Vec<String>,
}

/// Which of the images are wanted.
#[derive(Clone, Copy, Default)]
struct Choice<'a> {
    /// Whether label files are wanted and not images.
    labels: bool,
    /// The ending of their names without the extension.
    suffix: Option<&'a str>,
    /// Whether a folder stands for all folders below it too.
    recursive: bool,
}

/// Lists the images that `inputs` stand for. To find none is an error.
pub fn find_some(inputs: &[PathBuf], args: &args::Input) -> anyhow::Result<Found> {
    some(inputs, Choice { labels: false, suffix: args.img_filter.as_deref(), recursive: args.recursive })
}

/// Lists the label files that the inputs stand for. To find none is an error.
pub fn find_labels(args: &args::Labels) -> anyhow::Result<Found> {
    some(&args.inputs, Choice { labels: true, suffix: args.img_filter.as_deref(), recursive: args.recursive })
}

/// The images of a folder, without the outputs of flowmask and cellpose.
pub fn images_in(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(folder(dir)?.into_iter().filter(|path| kinds::of(path) == Kind::Image).collect())
}

/// The folders in a folder, except hidden ones.
pub fn folders_in(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(folder(dir)?.into_iter().filter(|path| path.is_dir() && !kinds::stem(path).starts_with('.')).collect())
}

fn some(inputs: &[PathBuf], choice: Choice) -> anyhow::Result<Found> {
    let found = find(&listed(inputs)?, choice);
    if found.images.is_empty() {
        let errors: Vec<_> = found.failed.iter().map(|(_, error)| error.to_string()).collect();
        let none = errors.is_empty().then_some("no input has a name that ends in the --img-filter");
        anyhow::bail!("{}", none.map_or(errors.join("; "), Into::into));
    }
    Ok(found)
}

/// The inputs, with the list on standard input in the place of `-`.
fn listed(inputs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for input in inputs {
        if input.as_os_str() != "-" {
            all.push(input.clone());
            continue;
        }
        let mut list = Vec::new();
        let read = io::stdin().read_to_end(&mut list);
        read.map_err(|error| anyhow::anyhow!("cannot read the list on standard input: {error}"))?;
        let names = names(&list)?;
        anyhow::ensure!(!names.is_empty(), "the list on standard input names no files");
        all.extend(names);
    }
    Ok(all)
}

/// The names in a list: one on each line, or separated by zero bytes, as `find -print0` writes them.
fn names(list: &[u8]) -> anyhow::Result<Vec<PathBuf>> {
    let separator = if list.contains(&0) { 0 } else { b'\n' };
    let names = list.split(|byte| *byte == separator);
    // Windows ends a line with two bytes.
    let names =
        names.map(|name| if separator == 0 { name } else { name.strip_suffix(b"\r").unwrap_or(name) });
    names.filter(|name| !name.is_empty()).map(path).collect()
}

#[cfg(unix)]
fn path(name: &[u8]) -> anyhow::Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::OsStr::from_bytes(name).into())
}

#[cfg(not(unix))]
fn path(name: &[u8]) -> anyhow::Result<PathBuf> {
    let name =
        std::str::from_utf8(name).map_err(|_| anyhow::anyhow!("the list on standard input is not UTF-8"))?;
    Ok(name.into())
}

/// Lists the images in the order of `inputs`, each of them once. The images of a folder or pattern are in natural order
/// (`im2` before `im10`).
fn find(inputs: &[PathBuf], choice: Choice) -> Found {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for input in inputs {
        match list(input, choice, &mut found) {
            Ok(images) => {
                let new = |image: &PathBuf| seen.insert(image.canonicalize().unwrap_or(image.clone()));
                found.images.extend(images.into_iter().filter(new));
            }
            Err(error) => found.failed.push((input.clone(), error)),
        }
    }
    found
}

/// The images that one input stands for.
fn list(input: &Path, choice: Choice, found: &mut Found) -> Result<Vec<PathBuf>> {
    let fits = |path: &Path| choice.suffix.is_none_or(|suffix| kinds::stem(path).ends_with(suffix));
    let candidates = match fs::metadata(input) {
        Ok(metadata) if metadata.is_dir() && choice.recursive => below(input, found)?,
        Ok(metadata) if metadata.is_dir() => folder(input)?,
        // A file that the user names is taken even if it does not look like an image; reading it gives the error. Only
        // the filter applies, because the shell may have expanded a pattern.
        Ok(_) => return Ok(if fits(input) { vec![input.into()] } else { vec![] }),
        Err(_) if is_pattern(input) => pattern::expand(input, &mut found.failed)?,
        Err(source) => return Err(Error::Read { path: input.into(), source }),
    };
    let (mut images, mut unread) = (Vec::new(), BTreeMap::new());
    for path in candidates.into_iter().filter(|path| fits(path)) {
        match if choice.labels { kinds::of_labels(&path) } else { kinds::of(&path) } {
            Kind::Image => images.push(path),
            Kind::Unread(format) => *unread.entry(format).or_insert(0) += 1,
            Kind::Other => {}
        }
    }
    // As for `evaluate`, images beside their labels are no labels.
    if choice.labels && images.iter().any(|path| pairs::is_named_labels(path)) {
        images.retain(|path| pairs::is_named_labels(path));
    }
    let unread = (!unread.is_empty()).then(|| left_out(&unread));
    if images.is_empty() {
        let named = choice.suffix.map(|suffix| format!(" whose names end in {suffix}")).unwrap_or_default();
        let unread = unread.map(|unread| format!(", but {unread}")).unwrap_or_default();
        let what = if choice.labels { "label files of stacks (TIFF, NPY)" } else { "images" };
        return Err(Error::ImageFile { path: input.into(), reason: format!("has no {what}{named}{unread}") });
    }
    found.notes.extend(unread.map(|unread| format!("{}: {unread}", input.display())));
    images.sort_by(|a, b| natord::compare(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(images)
}

/// A sentence about the files of each format that are not read.
fn left_out(unread: &BTreeMap<&str, usize>) -> String {
    let formats: Vec<String> = unread.iter().map(|(format, count)| format!("{count} .{format}")).collect();
    format!("files of formats that are not read are left out ({})", formats.join(", "))
}

fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let fail = |source| Error::Read { path: path.into(), source };
    fs::read_dir(path).map_err(fail)?.map(|entry| Ok(entry.map_err(fail)?.path())).collect()
}

/// The files of a folder and of all folders below it.
fn below(root: &Path, found: &mut Found) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for dir in pattern::folders(root, &mut found.failed) {
        let way = dir.strip_prefix(root).unwrap_or(Path::new("")).to_path_buf();
        match folder(&dir) {
            Ok(inside) => {
                let images = inside.iter().filter(|_| !way.as_os_str().is_empty());
                found.below.extend(images.map(|file| (file.clone(), way.clone())));
                files.extend(inside);
            }
            Err(error) => found.failed.push((dir, error)),
        }
    }
    Ok(files)
}

#[cfg(test)]
pub mod tests;
