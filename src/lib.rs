//! Cellpose (the U-Net of versions 1 to 3): finds every cell in a microscope image.

pub mod cpu;
mod error;
pub mod image;
pub mod metrics;
pub mod model;
mod options;
pub mod output;
mod pipeline;
pub mod report;
mod segmenter;

pub use error::{Error, Result};
pub use image::{Image, Pixel, Pixels, Stack};
pub use model::Model;
pub use options::{Compat, Diameter, Normalize, Options, Sampling};
pub use segmenter::{Builder, Segmentation, Segmenter};
