//! Image files: a module for each format, and what the formats share.

mod axes;
mod bmp;
mod foreign;
mod format;
mod guard;
mod jpeg;
mod labels;
mod letters;
mod limits;
mod npy;
mod options;
mod png;
mod samples;
mod tiff;

pub use foreign::UNREADABLE;
pub use format::{EXTENSIONS, decode, read, read_with};
pub use labels::{LABEL_EXTENSIONS, LabelStack, decode_labels, read_label_stack, read_labels};
pub use options::ReadOptions;
