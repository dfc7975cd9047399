//! Files to pixels: one file a format, and what they share.

mod axes;
mod format;
mod jpeg;
mod labels;
mod npy;
mod png;
mod samples;
mod size;
mod tiff;

pub use format::{EXTENSIONS, read};
pub use labels::{LABEL_EXTENSIONS, read_labels};
