//! Names in files of comma-separated values.

/// As RFC 4180 wants names with commas, quotes and line breaks.
pub(crate) fn quoted(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.into(),
    }
}
