//! The one error type of the library.

use std::path::{Path, PathBuf};

use crate::plan::channels::MAX_PIXEL;
use crate::text;

/// What can go wrong. Every message is a sentence that names the file, the tensor, the option or the device. What it quotes
/// from files and their names is [printable](text::printable); the fields have it as it is.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {}: {}", text::path(path), text::reason(&source.to_string()))]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {}", text::path(path), text::reason(&source.to_string()))]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file must not be replaced, since it does not say that flowmask wrote it: see
    /// [`Destination`](crate::output::Destination).
    #[error("{} is there and does not say that flowmask wrote it", text::path(path))]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file format cannot hold an image's labels.
    #[error("{}: {}", text::path(path), text::reason(reason))]
    Labels {
        /// The file that was to be written.
        path: PathBuf,
        /// What the format cannot hold.
        reason: String,
    },
    /// A file is not an image that can be read.
    #[error("{}: {}", text::path(path), text::reason(reason))]
    ImageFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An image or its labels cannot be used: there are no pixels, a pixel is not finite or beyond ±1e30, a channel is
    /// missing, the sizes of two arrays differ, or what the network makes of it is not finite.
    #[error("image: {}", text::reason(.0))]
    Image(String),
    /// An option has a value outside its range.
    #[error("option {name}: {}", text::reason(reason))]
    Option {
        /// The name of the option, such as a field of [`crate::Options`].
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A model could not be found, or its file could not be understood.
    #[error("model {}: {}", text::printable(model), text::reason(reason))]
    Model {
        /// The model's name or path.
        model: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor of a model is missing, or does not have the shape that the network needs.
    #[error("model {}: tensor {}: {}", text::printable(model), text::printable(tensor), text::reason(reason))]
    Tensor {
        /// The model's name or path.
        model: String,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A GPU, its driver or its compiler (NVRTC) is missing or failed.
    #[error("{}: {}", text::printable(device), text::reason(reason))]
    Device {
        /// The GPU, such as `cuda:1`; `cuda` when no single GPU is meant.
        device: String,
        /// What is missing or went wrong.
        reason: String,
    },
    /// A file could not be downloaded.
    #[error("cannot download {}: {}", text::printable(url), text::reason(reason))]
    Download {
        /// Where the file was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The progress callback returned `false`.
    #[error("cancelled")]
    Cancelled,
    /// There is too little memory for an image. Other images, or another diameter, may take less.
    #[error("{what} needs {}", shortage(*.needed, *.limit))]
    Memory {
        /// What needs the memory, such as an image with its size and the diameter of its cells.
        what: String,
        /// How much it needs, in bytes.
        needed: u64,
        /// How much it may use, in bytes: what [`crate::Options::memory`] says, or what was free. 0 when an array of
        /// `needed` bytes could not be allocated although the whole was planned to fit.
        limit: u64,
    },
    /// The segmenter was built by another process, of which this one is a fork. Its threads are not in this process.
    #[error("the segmenter was opened by another process (before a fork): open it again in this one")]
    Forked,
    /// The threads of the segmenter could not be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many threads were asked for; 0 means one for each core.
        threads: usize,
        /// What the thread pool reported.
        reason: String,
    },
}

/// The result of a function of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A copy for one more image of a batch that failed as a whole. (`std::io::Error` cannot be cloned.)
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Error::Device { device, reason } => Error::device(device, reason),
            Error::Model { model, reason } => Error::model(model, reason),
            Error::Cancelled => Error::Cancelled,
            Error::Memory { what, needed, limit } => Error::memory(what, *needed, *limit),
            Error::Forked => Error::Forked,
            other => Error::device("all images of a batch", other),
        }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Error::Read { path: path.into(), source }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Error::Write { path: path.into(), source }
    }

    pub(crate) fn labels(path: &Path, reason: impl ToString) -> Self {
        Error::Labels { path: path.into(), reason: reason.to_string() }
    }

    pub(crate) fn image_file(path: &Path, reason: impl ToString) -> Self {
        Error::ImageFile { path: path.into(), reason: reason.to_string() }
    }

    /// One of height, width and number of channels is 0.
    pub(crate) fn no_pixels([height, width, channels]: [usize; 3]) -> Self {
        Error::Image(format!("no pixels ({height} by {width}, {channels} channels)"))
    }

    /// There are so many planes, where a volume has at least two.
    pub(crate) fn one_plane(planes: usize) -> Self {
        let has = if planes == 1 { "one plane".into() } else { format!("{planes} planes") };
        Error::Image(format!("has {has}; masks are stitched over two or more planes"))
    }

    /// The pixel at this row, column and channel (all counted from 0) is NaN, infinite or beyond [`MAX_PIXEL`].
    pub(crate) fn not_finite([row, column, channel]: [usize; 3], value: f32) -> Self {
        let channel = channel + 1;
        let limit = match value.is_finite() {
            true => format!(", beyond the limit of {MAX_PIXEL:e}"),
            false => String::new(),
        };
        Error::Image(format!(
            "the pixel at row {row}, column {column}, channel {channel} is {value:e}{limit}"
        ))
    }

    /// The error of a plane, counted from 0, as one of its stack.
    pub(crate) fn in_plane(self, plane: usize) -> Self {
        match self {
            Error::Image(reason) => Error::Image(format!("in plane {plane}, {reason}")),
            other => other,
        }
    }

    /// An output of the network is NaN or infinite.
    pub(crate) fn not_finite_output() -> Self {
        let reason = "a normalised pixel or a weight of the model is too large for its number format";
        Error::Image(format!("the network's output is not finite: {reason}"))
    }

    pub(crate) fn model(model: &str, reason: impl ToString) -> Self {
        Error::Model { model: model.into(), reason: reason.to_string() }
    }

    pub(crate) fn tensor(model: &str, tensor: &str, reason: impl ToString) -> Self {
        Error::Tensor { model: model.into(), tensor: tensor.into(), reason: reason.to_string() }
    }

    pub(crate) fn device(device: impl ToString, reason: impl ToString) -> Self {
        Error::Device { device: device.to_string(), reason: reason.to_string() }
    }

    #[cfg(feature = "pull")]
    pub(crate) fn download(url: &str, reason: impl ToString) -> Self {
        Error::Download { url: url.into(), reason: reason.to_string() }
    }

    pub(crate) fn memory(what: impl ToString, needed: u64, limit: u64) -> Self {
        Error::Memory { what: what.to_string(), needed, limit }
    }

    /// Counts `held` bytes, which were taken off the limit before, to what is needed and allowed.
    pub(crate) fn beside(self, held: u64) -> Self {
        match self {
            Error::Memory { what, needed, limit } => {
                let [needed, limit] = [needed, limit].map(|bytes| bytes.saturating_add(held));
                Error::Memory { what, needed, limit }
            }
            error => error,
        }
    }

    pub(crate) fn option(name: &'static str, reason: impl ToString) -> Self {
        Error::Option { name, reason: reason.to_string() }
    }
}

fn shortage(needed: u64, limit: u64) -> String {
    match limit {
        0 => format!("{} more memory than there is", size(needed)),
        _ => format!("{} of memory, but {} may be used", size(needed), size(limit)),
    }
}

/// A number of bytes in words, such as "1.8 GB".
fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes as f64 / 1e3, 0);
    while value >= 999.95 && unit + 1 < units.len() {
        (value, unit) = (value / 1e3, unit + 1);
    }
    format!("{value:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_the_fitting_unit() {
        let said = [0, 1_500, 999_949, 999_950, 710_340_406_272, u64::MAX].map(size);
        assert_eq!(said, ["0.0 kB", "1.5 kB", "999.9 kB", "1.0 MB", "710.3 GB", "18.4 EB"]);
    }
}
