//! Masks as files (TIFF, PNG, NPY, overlays), outlines and polygons.
//!
//! Every file is written under a temporary name in the same folder and then renamed, so that a reader sees the whole
//! file or none. A writer takes a path, where it replaces any file, or a [`Destination`] that replaces only what flowmask
//! wrote.

mod csv;
#[cfg(feature = "files")]
mod describe;
mod flow_colors;
#[cfg(feature = "files")]
mod format;
#[cfg(feature = "files")]
mod images;
#[cfg(feature = "files")]
mod labels;
#[cfg(feature = "files")]
mod outlined;
mod outlines;
#[cfg(feature = "files")]
mod overlay;
mod polygons;
#[cfg(feature = "files")]
mod seg;

pub use crate::atomic::{Destination, Discarded, Group, discard_unfinished};
pub use crate::mark::is_own;
pub(crate) use csv::quoted;
pub use flow_colors::flow_colors;
#[cfg(feature = "files")]
pub use format::{Format, save_labels, save_labels_as};
#[cfg(feature = "files")]
pub use images::save_images;
#[cfg(feature = "report")]
pub(crate) use labels::encode_png;
#[cfg(feature = "files")]
pub use outlined::save_outlined;
pub use outlines::outlines;
#[cfg(feature = "report")]
pub(crate) use overlay::colors;
#[cfg(feature = "files")]
pub use overlay::{save_colors, save_overlay, save_overlay_scaled};
pub use polygons::{Polygon, polygons};
#[cfg(feature = "files")]
pub use seg::{Seg, save_seg};
