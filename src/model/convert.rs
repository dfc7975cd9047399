//! Models to files.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Model, safetensors, torch};
use crate::atomic::write_atomic;
use crate::{Error, Result};

/// Reads the model `input` (as [`Model::named`] does) and writes it to `output`, as [`Model::save`] does. A file
/// `size` takes the place of its size model.
///
/// # Errors
/// [`Error::Model`], [`Error::Tensor`], [`Error::Read`], [`Error::Write`].
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
    /// Writes the model to a file that ends with `.safetensors`, its size model in it, or with `.pth`, which the
    /// original loads, the size model beside it in `PATH_size.npy`. With `half`, matrices and convolutions are in
    /// half precision. The same model always gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Model`] for another ending, [`Error::Tensor`] for a weight beyond the range of
    /// half precision.
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

/// Where the original looks for the size model of a model of one's own.
fn size_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("_size.npy");
    name.into()
}
