//! Writes models to files, and converts between formats.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Model, safetensors, torch};
use crate::atomic::write_atomic;
use crate::{Error, Result};

/// Reads the model that [`Model::named`] finds as `input`, and writes it to `output` with [`Model::save`]. The size
/// model in the file `size`, if any, replaces that of the model.
///
/// # Errors
/// The errors of [`Model::named`], [`Model::with_size_file`] and [`Model::save`].
pub fn convert(input: &str, output: &Path, half: bool, size: Option<&Path>) -> Result<()> {
    Format::of(output)?;
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
    /// which cellpose can load. Beside a `.pth` file, the size model is written to `PATH_size.npy`. With `half`,
    /// matrices and convolutions are in half precision. The same model always gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Write`] when a file cannot be written; [`Error::Model`] for another ending of the name;
    /// [`Error::Tensor`] for a weight beyond the range of half precision.
    pub fn save(&self, path: &Path, half: bool) -> Result<()> {
        let params = self.params()?;
        let (nbase, nout) = (params.nbase.clone(), params.nout);
        let tensors = params.into_tensors(&self.name)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match Format::of(path)? {
            Format::Safetensors => {
                let size = self.size.as_ref().map(|size| size.tensors()).unwrap_or_default();
                let bytes = safetensors::to_bytes(&tensors, &size, (&nbase, nout), &name, half)?;
                write_atomic(path, |writer| writer.write_all(&bytes))
            }
            Format::Torch => {
                let bytes = torch::to_bytes(&tensors, &name, half)?;
                write_atomic(path, |writer| writer.write_all(&bytes))?;
                match &self.size {
                    Some(size) => write_atomic(&size_path(path), |writer| writer.write_all(&size.to_npy())),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Where cellpose looks for the size model of a model that a user trained.
fn size_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("_size.npy");
    name.into()
}
