//! Pages: the templates in `page`, which escape what they show.

use std::path::Path;

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ndarray::Array3;

use super::raster;
use crate::Result;
use crate::atomic::write_atomic;

/// Writes one file that needs no other. Its policy lets it load nothing even if a name would try to.
pub(super) fn save(page: &impl Template, path: &Path) -> Result<()> {
    write_atomic(path, |writer| Template::write_into(page, writer))
}

/// A picture, `[height, width, 3]`, as an address that holds its PNG. Empty when it has no pixels.
pub(super) fn data_uri(rgb: &Array3<u8>) -> String {
    match raster::png(rgb) {
        Ok(png) => format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)),
        Err(_) => "data:,".into(),
    }
}
