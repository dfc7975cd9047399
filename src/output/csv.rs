//! Quoting for CSV files.

/// A field of a CSV file: quoted as RFC 4180 asks when it has commas, quotes or line breaks.
pub(crate) fn quoted(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.into(),
    }
}
