//! Image files: a module for each format, and what the formats share.

mod axes;
mod format;
mod jpeg;
mod labels;
mod limits;
mod npy;
mod png;
mod samples;
mod tiff;

pub use format::{EXTENSIONS, read};
pub use labels::{LABEL_EXTENSIONS, read_label_stack, read_labels};
