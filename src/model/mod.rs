//! Models: from a name or a file to a network that can run.

mod architecture;
mod builtin;
mod convert;
pub(crate) mod dictionary;
mod hashes;
pub mod network;
mod original;
pub mod params;
mod pickle;
mod places;
#[cfg(feature = "pull")]
pub mod pull;
mod safetensors;
mod size;
mod tensors;
mod torch;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use convert::convert;
use network::Network;
use params::Params;
pub use places::{Listed, list};
pub use size::SizeModel;
pub use tensors::Tensor;
use tensors::Tensors;

use crate::memory::{copied, enough, require};
use crate::{Error, Result, regular, text};

/// The diameter in pixels that the original assumes for a network whose file has no `diam_mean`.
const DIAM_MEAN: f32 = 30.0;
/// Larger files are refused without reading them. A U-Net of the original has 26 MB.
const MAX_FILE: u64 = 2 << 30;
/// What the names and small parts of a file take while it is decoded, in bytes.
const PICKLES: u64 = 4 << 20;

/// A network with its diameters and its size model, ready to run. Clones share the weights.
#[derive(Clone, Debug)]
pub struct Model {
    name: String,
    file: File,
    network: Arc<Network>,
    diam_mean: f32,
    diam_labels: f32,
    /// Whether it was loaded as a built-in model, by its name.
    built_in: bool,
    size: Option<Arc<SizeModel>>,
}

impl Model {
    /// The SHA-256 of the model's file, in hexadecimal digits. A size model that is a file of its own does not count.
    pub fn sha256(&self) -> String {
        hashes::of(&self.file.0)
    }

    /// Loads a built-in model (`cyto`, `nuclei`), a model of the original (such as `cellpose:cyto3`, from the folder
    /// where the original keeps it), or the file with this path.
    ///
    /// # Errors
    /// [`Error::Model`] when there is no such model; otherwise the errors of [`Model::open`].
    pub fn named(name: &str) -> Result<Self> {
        match places::find(name)? {
            places::Place::BuiltIn(model) => {
                Ok(Model { built_in: true, ..Self::from_file(name, model.load()?)? })
            }
            places::Place::File(path) => Self::open_as(name, &path),
        }
    }

    /// Loads a file of safetensors or of `torch.save`. If the file has no size model, one is loaded from a file beside
    /// it with the original's names: `MODEL_size.npy` or `size_MODEL.npy`.
    ///
    /// # Errors
    /// [`Error::Read`] when a file cannot be read; otherwise the errors of [`Model::from_bytes`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_as(&path.to_string_lossy(), path)
    }

    fn open_as(name: &str, path: &Path) -> Result<Self> {
        let bytes = read_file(path)?;
        hashes::check(path, &bytes)?;
        let model = Self::from_file(name, Cow::Owned(bytes))?;
        match places::size_file(path) {
            Some(size) if model.size.is_none() => model.with_size_file(size),
            _ => Ok(model),
        }
    }

    /// Loads the content of a file of safetensors or of `torch.save`; `name` is used in messages.
    ///
    /// # Errors
    /// [`Error::Model`] for another format, a damaged file, or a network that is not a U-Net of cellpose 1 to 3;
    /// [`Error::Tensor`] for a tensor that is missing, has another shape, or has values that are not finite.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let bytes = enough(|| format!("model {name}"), || Ok(copied(bytes)))?;
        Self::from_file(name, Cow::Owned(bytes))
    }

    fn from_file(name: &str, bytes: Cow<'static, [u8]>) -> Result<Self> {
        let file = File(Arc::new(bytes));
        let mut tensors = file.tensors(name)?;
        let size = SizeModel::take(&mut tensors)?;
        let params = Params::take(tensors)?;
        let diam_mean = params.diameter(name, "diam_mean")?.unwrap_or(assumed_diameter(name));
        let diam_labels = params.diameter(name, "diam_labels")?.unwrap_or(diam_mean);
        let network = Network::fold(params);
        let model = Model {
            name: name.into(),
            file,
            network: Arc::new(network),
            diam_mean,
            diam_labels,
            built_in: false,
            size: None,
        };
        match size {
            Some(size) => model.with_size(size, name),
            None => Ok(model),
        }
    }

    /// Makes a model of these parameters; `name` is used in messages.
    ///
    /// # Errors
    /// [`Error::Tensor`] when an array has values that are not finite, another number of values than its shape, or a
    /// negative variance; [`Error::Model`] for a size model that belongs to another network.
    pub fn from_params(name: &str, params: Params, size: Option<SizeModel>) -> Result<Self> {
        let (nbase, nout) = (params.nbase.clone(), params.nout);
        let tensors = params.into_tensors(name)?;
        let bytes = safetensors::to_bytes(&tensors, &BTreeMap::new(), (&nbase, nout), name, false)?;
        let model = Self::from_file(name, Cow::Owned(bytes))?;
        match size {
            Some(size) => model.with_size(size, name),
            None => Ok(model),
        }
    }

    /// The same model with the size model in a file of the original, such as `size_cyto3.npy`.
    ///
    /// # Errors
    /// [`Error::Read`] when the file cannot be read; [`Error::Model`] when it is not a size model, or belongs to
    /// another network.
    pub fn with_size_file(self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        let bytes = read_file(path)?;
        hashes::check(path, &bytes)?;
        let size = SizeModel::from_npy(&name, &bytes)?;
        self.with_size(size, &name)
    }

    fn with_size(mut self, size: SizeModel, name: &str) -> Result<Self> {
        let style = self.network.nbase.last().copied().unwrap_or(0);
        if size.style_len() != style {
            let reason = format!(
                "has a size model for styles of {} numbers, but the network's have {style}",
                size.style_len()
            );
            return Err(Error::model(name, reason));
        }
        self.size = Some(Arc::new(size));
        Ok(self)
    }

    /// The name or path by which the model was loaded.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last part of the name, which for a file is its name without the folder.
    pub(crate) fn file_name(&self) -> &str {
        let name = self.name.strip_prefix(places::ORIGINAL).unwrap_or(&self.name);
        name.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(name)
    }

    /// The diameter in pixels to which a network that restores images expects cells to be scaled: what the original takes for
    /// those that it publishes, otherwise what the file says.
    pub(crate) fn restored_diameter(&self) -> f64 {
        match self.file_name() {
            name if !original::restores(name) => f64::from(self.diam_mean),
            name if name.contains("nuclei") => 17.0,
            _ => f64::from(DIAM_MEAN),
        }
    }

    /// The diameter in pixels to which the network expects cells to be scaled.
    pub fn diam_mean(&self) -> f32 {
        self.diam_mean
    }

    /// The mean diameter in pixels of the cells that the network was trained on; [`diam_mean`](Self::diam_mean) if the
    /// file does not say.
    pub fn diam_labels(&self) -> f32 {
        self.diam_labels
    }

    /// The diameter in pixels that is assumed for the cells of an image when none is given
    /// ([`Diameter::Model`](crate::Diameter::Model)): [`diam_labels`](Self::diam_labels), as in cellpose's
    /// `CellposeModel.eval(diameter=None)`. For a built-in model that was loaded by its name it is
    /// [`diam_mean`](Self::diam_mean), as 30 and 17 are for the original's: they were trained on cells of very many
    /// sizes, whose mean says nothing about an image.
    pub fn diameter(&self) -> f32 {
        if self.built_in { self.diam_mean } else { self.diam_labels }
    }

    /// The parameters before folding, for training and for writing. They are decoded from the content of the model's
    /// file, because loading folds them in place.
    ///
    /// # Errors
    /// The errors of loading; a model that was loaded does not cause any.
    pub fn params(&self) -> Result<Params> {
        let mut tensors = self.file.tensors(&self.name)?;
        SizeModel::take(&mut tensors)?; // the model may have another size model than its file
        Params::take(tensors)
    }

    /// The network with folded weights.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The size model, if there is one.
    pub fn size_model(&self) -> Option<&SizeModel> {
        self.size.as_deref()
    }

    /// The size model.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none.
    pub(crate) fn some_size_model(&self) -> Result<&SizeModel> {
        let reason = "has no size model, so it cannot estimate the diameter: give the diameter in pixels";
        self.size_model().ok_or_else(|| Error::model(self.name(), reason))
    }
}

/// The content of the file that a model was loaded from. It is decoded a second time when the parameters are needed,
/// which is rare, because the network takes the tensors over.
#[derive(Clone)]
struct File(Arc<Cow<'static, [u8]>>);

impl File {
    fn tensors(&self, name: &str) -> Result<Tensors> {
        let bytes = &**self.0;
        let decode = || {
            // The tensors in single precision are twice a file in half precision; PyTorch's are copied out of their
            // archive, and once more if they are not in C order.
            require(4 * bytes.len() as u64 + PICKLES, None);
            if safetensors::is_safetensors(bytes) {
                safetensors::read(name, bytes)
            } else if bytes.starts_with(torch::ZIP_MAGIC) {
                torch::read_zip(name, bytes)
            } else if bytes.starts_with(torch::LEGACY_MAGIC) {
                torch::read_legacy(name, bytes)
            } else {
                Err(Error::model(name, "is neither a safetensors file nor one of PyTorch"))
            }
        };
        enough(|| format!("model {name}"), decode)
    }
}

/// Prints the length only: the bytes would fill a screen.
impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "File({} bytes)", self.0.len())
    }
}

/// The `diam_mean` of a file without one. The original's network for nuclei is known by its name (`get_model_params` of
/// cellpose 3.1.1).
fn assumed_diameter(name: &str) -> f32 {
    let is_nuclei = name == "cellpose:nuclei" || name.ends_with("nucleitorch_0");
    if is_nuclei { 17.0 } else { DIAM_MEAN }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path).map_or(0, |data| data.len());
    if length > MAX_FILE {
        let reason = "has more than 2 GiB, which no U-Net of cellpose has";
        return Err(Error::model(&path.to_string_lossy(), reason));
    }
    enough(|| text::path(path), || regular::read(path, None).map_err(|e| Error::read(path, e)))
}
