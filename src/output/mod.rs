//! Masks as files (TIFF, PNG, NPY, overlays), outlines and polygons, and these as files of other programs.
//!
//! Every file is written under a temporary name in the same folder and then renamed, so that a reader sees the whole
//! file or none. A writer takes a path, where it replaces any file, or a [`Destination`] that replaces only what flowmask
//! wrote.

mod batches;
mod contours;
mod csv;
#[cfg(feature = "files")]
mod describe;
#[cfg(feature = "files")]
mod eight_bits;
mod flow_colors;
#[cfg(feature = "files")]
mod format;
mod geojson;
#[cfg(feature = "files")]
mod images;
#[cfg(feature = "files")]
mod labels;
mod outline_text;
#[cfg(feature = "files")]
mod outlined;
mod outlines;
#[cfg(feature = "files")]
mod overlay;
mod parts;
mod planes;
mod polygons;
mod range;
mod roi;
mod rois;
#[cfg(feature = "files")]
mod seg;
mod starts;
mod tracer;

pub use crate::atomic::{Destination, Discarded, Group, discard_unfinished};
pub use crate::mark::is_own;
pub use contours::{Contour, contours};
pub(crate) use csv::quoted;
pub use flow_colors::flow_colors;
#[cfg(feature = "files")]
pub use format::{Format, save_labels, save_labels_as};
pub use geojson::{CellProperties, Classification, Measurement, save_geojson};
#[cfg(feature = "files")]
pub use images::save_images;
#[cfg(feature = "report")]
pub(crate) use labels::encode_png;
pub use outline_text::save_outline_text;
#[cfg(feature = "files")]
pub use outlined::save_outlined;
pub use outlines::outlines;
#[cfg(feature = "report")]
pub(crate) use overlay::colors;
#[cfg(feature = "files")]
pub use overlay::{save_colors, save_overlay, save_overlay_scaled};
pub use polygons::{Polygon, polygons};
pub use rois::save_rois;
#[cfg(feature = "files")]
pub use seg::{Seg, save_seg};
