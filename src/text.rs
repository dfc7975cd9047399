//! Control characters of names, which would act on the terminal that shows a file.

use std::borrow::Cow;

/// A name with its control characters as `\u001b`, on one line.
pub(crate) fn visible(name: &str) -> Cow<'_, str> {
    escaped(name, char::is_control)
}

/// A document with its control characters but line breaks as `\u001b`, which JSON reads back as the same character.
pub(crate) fn document(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() && c != '\n')
}

/// All control characters have four digits.
fn escaped(text: &str, wrong: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(wrong) {
        return text.into();
    }
    let mut all = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match wrong(c) {
            true => all.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => all.push(c),
        }
    }
    all.into()
}
