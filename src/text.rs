//! Text that comes from files, file names and models, made safe to print.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// The text with every character escaped that a terminal would act on instead of showing: control characters (C0, DEL and
/// C1), separators of lines and paragraphs, and those that change the direction of writing. They are written as JSON
/// writes them (`\n`, `\u001b`), so a line of JSON stays the same JSON. A text without them is returned as it is, and a
/// text that is escaped already does not change.
///
/// ```
/// assert_eq!(flowmask::text::printable("a\u{1b}[31m\n"), r"a\u001b[31m\n");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_active)
}

/// A document with the same characters escaped, but for its line breaks.
pub(crate) fn document(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_active(character) && character != '\n')
}

fn escaped(text: &str, wrong: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(wrong) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            _ if !wrong(character) => shown.push(character),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // All of them have at most 16 bits. Writing into a string cannot fail.
            _ => drop(write!(shown, "\\u{:04x}", u32::from(character))),
        }
    }
    Cow::Owned(shown)
}

/// The path, as far as it is Unicode, with the same characters escaped as by [`printable`].
pub fn path(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// A number for a message: without an exponent where that is short.
pub(crate) fn number(value: f64) -> String {
    let plain = value == 0.0 || !value.is_finite() || (1e-4..1e7).contains(&value.abs());
    if plain { value.to_string() } else { format!("{value:e}") }
}

/// The words of other crates that say nothing to a user, and what they mean.
const RAW: [(&str, &str); 4] = [
    ("failed to fill whole buffer", "the file ends too early"),
    ("unexpected end of file", "the file ends too early"),
    ("invalid Zip archive: Could not find EOCD", "its end is missing"),
    ("incomplete metadata, file not fully covered", "the file is shorter or longer than it says"),
];

/// A reason that may quote a file or another crate, for a message: printable, and in words that mean something to a user.
pub(crate) fn reason(text: &str) -> String {
    let mut reason = printable(text).into_owned();
    for (raw, words) in RAW {
        reason = reason.replace(raw, words);
    }
    reason
}

fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped_and_all_else_stays() {
        let text = "µm 細胞 \\ \"\u{1b}]0;title\u{7}\u{9b}31m\u{202e}fit.exe\u{7f}\r\n\t";
        let shown = printable(text);
        assert_eq!(shown, "µm 細胞 \\ \"\\u001b]0;title\\u0007\\u009b31m\\u202efit.exe\\u007f\\r\\n\\t");
        assert!(matches!(printable(&shown), Cow::Borrowed(same) if same == shown));
    }

    #[test]
    fn escaped_json_has_the_real_text() {
        let real = "a\u{9b}31m\u{202e}\u{7f}\n";
        let line = serde_json::to_string(real).unwrap();
        let shown = printable(&line);
        assert!(shown.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), real);
    }

    #[test]
    fn words_of_other_crates_are_replaced() {
        assert_eq!(reason("io: failed to fill whole buffer"), "io: the file ends too early");
    }
}
