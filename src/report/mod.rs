//! Plots and pages: curves of average precision ([`ap_curves`]), galleries of segmentations ([`Gallery`]), and maps of
//! style vectors ([`StyleMap`], placed by [`tsne`]).
//!
//! A plot is a [`Figure`], which is saved as SVG or PNG. A page is a single HTML file that loads no other file.

mod curve;
mod figure;
mod gallery;
mod html;
mod map;
mod outline;
mod panel;
mod raster;
mod sheet;
mod styles;
mod svg;
mod tsne;

pub use curve::{Curve, ap_curves};
pub use figure::Figure;
pub use gallery::Gallery;
pub use map::StyleMap;
pub use styles::{StyleImage, save_styles_csv, save_styles_npy};
pub use tsne::{TsneOptions, tsne};
