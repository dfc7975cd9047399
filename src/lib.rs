//! Finds every cell in a microscope image, with the network of Cellpose 1 to 3 (a residual U-Net).
//!
#![cfg_attr(feature = "files", doc = "```")]
#![cfg_attr(not(feature = "files"), doc = "```ignore")]
//! use flowmask::{Diameter, Image, Model, Options, Segmenter};
//!
//! let segmenter = Segmenter::builder().model(Model::named("nuclei")?).build()?;
//! let image = Image::open("tests/data/nuclei.png")?;
//! let options = Options::default().diameter(Diameter::Pixels(19.5));
//! let found = segmenter.segment(&image, &options)?;
//! assert_eq!(found.masks.dim(), (256, 256));
//! println!("{} cells", found.cells());
//! # assert!((36..=38).contains(&found.cells()));
//! # Ok::<(), flowmask::Error>(())
//! ```
//!
//! Arrays are in C order: y comes before x. The same image and options give the same bytes with any number of threads
//! and any batch size. The library prints nothing. A [`Segmenter`] computes on threads of its own.
//!
//! The modules follow the path of the data: [`image`] reads pixels, [`cpu`] turns them into masks (normalise, resize,
//! cut into tiles, run the network, blend the tiles, follow the flows, cluster, check the flows, fill holes), or the
//! module `cuda` does the same on a GPU, and [`output`] writes the masks. [`model`] loads the weights. [`plan`] computes
//! what must be the same on every device: where tiles lie, how they are weighted, how images are scaled.

/// The example of the README compiles.
#[cfg(all(doctest, feature = "files"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod atomic;
mod backend;
mod builder;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "without_cuda.rs"]
mod cuda;
mod device;
mod diameters;
mod error;
mod folders;
mod from_flows;
pub mod image;
mod lanes;
mod many;
mod mark;
pub mod measure;
mod memory;
pub mod metrics;
pub mod model;
pub mod npy;
mod options;
pub mod output;
mod pipeline;
pub mod plan;
mod pool;
mod prepare;
mod regular;
#[cfg(feature = "report")]
pub mod report;
mod restorer;
mod segmentation;
mod segmenter;
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only results on a GPU are copied"))]
mod spares;
mod stitching;
pub mod text;
pub mod train;
mod volume;
mod watch;

pub use builder::Builder;
pub use cpu::stitch::stitch;
#[cfg(feature = "cuda")]
pub use cuda::OnDevice;
pub use device::Device;
pub use diameters::diameters;
pub use error::{Error, Result};
pub use image::{Image, Pixel, PixelType, Pixels, Stack};
pub use memory::OutOfMemory;
pub use model::Model;
pub use options::{Compat, Diameter, Normalize, Options, Precision, Sampling};
pub use pool::Pool;
pub use restorer::Restorer;
pub use segmentation::Segmentation;
pub use segmenter::Segmenter;
pub use stitching::Stitching;
pub use volume::VolumeSegmentation;
pub use watch::Progress;

/// Checks at compile time that programs can share these types between threads, or send them to another thread.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn sent<T: Send>() {}
    shared::<Error>();
    shared::<Image>();
    shared::<Model>();
    shared::<Options>();
    shared::<Restorer>();
    shared::<Segmentation>();
    shared::<Segmenter>();
    sent::<Builder>();
};
