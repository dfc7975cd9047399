//! Writes HTML pages from the templates in `page`, which escape every text that they show.

use std::{fmt, io};

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ndarray::Array3;

use super::raster;
use crate::Result;
use crate::atomic::{Destination, write_atomic};
use crate::text::document;

/// Writes a page as one file. Its content security policy forbids loading anything, even if a name contains markup.
pub(super) fn save(page: &impl Template, to: impl Into<Destination>) -> Result<()> {
    write_atomic(to, |writer| {
        let mut filter = Filter { writer, failed: None };
        let written = page.render_into(&mut filter);
        match filter.failed {
            Some(error) => Err(error),
            None => written.map_err(io::Error::other),
        }
    })
}

/// Writes text without its control characters.
struct Filter<W> {
    writer: W,
    failed: Option<io::Error>,
}

impl<W: io::Write> fmt::Write for Filter<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.writer.write_all(document(text).as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

/// A picture, `[height, width, 3]`, as a data URI with its PNG; an empty one when it has no pixels.
pub(super) fn data_uri(rgb: &Array3<u8>) -> String {
    match raster::png(rgb) {
        Ok(png) => format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)),
        Err(_) => "data:,".into(),
    }
}
