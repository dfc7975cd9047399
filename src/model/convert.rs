//! Writes models to files, and converts between formats.

use std::io::Write;
use std::path::Path;

use tempfile::TempPath;

use super::{Model, places, safetensors, torch};
use crate::atomic::{Destination, Written, together, write_atomic};
use crate::{Error, Result};

/// Reads the model that [`Model::named`] finds as `input`, and writes it to `output` with [`Model::save`]. The size
/// model in the file `size`, if any, replaces that of the model.
///
/// # Errors
/// The errors of [`Model::named`], [`Model::with_size_file`] and [`Model::save`].
pub fn convert(input: &str, output: impl Into<Destination>, half: bool, size: Option<&Path>) -> Result<()> {
    let output = output.into();
    Format::of(output.path())?;
    output.check()?;
    let mut model = Model::named(input)?;
    if let Some(size) = size {
        model = model.with_size_file(size)?;
    }
    model.save(output, half)
}

#[derive(Clone, Copy)]
enum Format {
    Safetensors,
    Torch,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("safetensors") => Ok(Format::Safetensors),
            Some("pth") => Ok(Format::Torch),
            _ => Err(Error::model(
                &path.to_string_lossy(),
                "models are written to files that end with .safetensors or .pth",
            )),
        }
    }
}

impl Model {
    /// Writes the model to a file whose name ends with `.safetensors`, which includes the size model, or with `.pth`,
    /// which cellpose can load. Beside a `.pth` file, the size model is written to `PATH_size.npy`. Both are replaced or
    /// neither: a file that would be taken for the size model of a model without one is removed. With `half`, matrices
    /// and convolutions are in half precision. The same model always gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Write`] when a file cannot be written, [`Error::Exists`] when one there must not be replaced (models have
    /// no mark of flowmask); [`Error::Model`] for another ending of the name; [`Error::Tensor`] for a weight beyond the
    /// range of half precision.
    pub fn save(&self, to: impl Into<Destination>, half: bool) -> Result<()> {
        let to = to.into();
        let params = self.params()?;
        let (nbase, nout) = (params.nbase.clone(), params.nout);
        let tensors = params.into_tensors(&self.name)?;
        let name = to.path().file_stem().unwrap_or_default().to_string_lossy();
        let bytes = match Format::of(to.path())? {
            Format::Safetensors => {
                let size = self.size.as_ref().map(|size| size.tensors()).unwrap_or_default();
                safetensors::to_bytes(&tensors, &size, (&nbase, nout), &name, half)?
            }
            Format::Torch => torch::to_bytes(&tensors, &name, half)?,
        };
        match (&self.size, Format::of(to.path())?) {
            // The size model in the file goes before any beside it.
            (Some(_), Format::Safetensors) => write_atomic(to, |writer| writer.write_all(&bytes)),
            (Some(size), Format::Torch) => write_both(to, &bytes, Some(size.to_npy())),
            (None, _) => write_both(to, &bytes, None),
        }
    }
}

/// Writes a model and the size model that is to be beside it. At no time is a model beside the size model of another.
fn write_both(to: Destination, model: &[u8], size: Option<Vec<u8>>) -> Result<()> {
    let known = places::size_files(to.path()).into_iter();
    let beside = known.map(|path| Destination::new(path).overwrite(to.overwrites()));
    // The first goes before the others, so these are in the way only when there is no first.
    let beside: Vec<Destination> = beside.take(if size.is_some() { 1 } else { 3 }).collect();
    beside.iter().try_for_each(Destination::check)?;
    let model = Written::new(to, |writer| writer.write_all(model))?;
    let write_size = |bytes: Vec<u8>| Written::new(beside[0].clone(), |writer| writer.write_all(&bytes));
    let size = size.map(write_size).transpose()?;
    together(|| {
        let mut old = Vec::new();
        let mut aside =
            || beside.iter().try_for_each(|file| set_aside(file.path()).map(|file| old.push(file)));
        if let Err(error) = aside().and_then(|()| model.place()) {
            for (old, file) in old.into_iter().zip(&beside) {
                // The first error counts.
                let _ = old.map(|old| old.persist(file.path()));
            }
            return Err(error);
        }
        size.map_or(Ok(()), Written::place)
    })
}

/// Renames a file, if there is one, to a temporary name under which it is removed when dropped.
fn set_aside(path: &Path) -> Result<Option<TempPath>> {
    let rename = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let aside = tempfile::Builder::new().prefix(".flowmask-").suffix(".old").tempfile_in(folder)?;
        let aside = aside.into_temp_path();
        std::fs::rename(path, &aside).map(|()| aside)
    };
    match path.symlink_metadata() {
        Err(_) => Ok(None),
        // The error would name the temporary file, so only its kind is kept.
        Ok(_) => rename().map(Some).map_err(|e| Error::write(path, e.kind().into())),
    }
}
