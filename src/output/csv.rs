//! Quoting for CSV files.

use crate::text::printable;

/// A field of a CSV file: quoted as RFC 4180 asks when it has commas or quotes. Control characters, and so line breaks,
/// become `\u001b`.
pub(crate) fn quoted(name: &str) -> String {
    let name = printable(name);
    match name.contains([',', '"']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_field_of_one_line() {
        assert_eq!(quoted("a b.tif"), "a b.tif");
        assert_eq!(quoted("a,b\".tif"), "\"a,b\"\".tif\"");
        assert_eq!(quoted("a\n\u{1b}[31m\u{9b}ü"), "a\\n\\u001b[31m\\u009bü");
    }
}
