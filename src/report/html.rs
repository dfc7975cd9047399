//! Parts of pages.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ndarray::Array3;
use serde_json::Value;

use super::raster;
use crate::Result;
use crate::atomic::write_atomic;

/// What all pages look like.
const STYLE: &str = include_str!("page/common.css");

/// `text` as the content of an element or of an attribute in double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML, which SVG is, allows no other control character, not even escaped.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => escaped.push('\u{fffd}'),
            // Not characters of XML either.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A picture, `[height, width, 3]`, as an address that holds its PNG. Empty when it has no pixels.
pub(super) fn data_uri(rgb: &Array3<u8>) -> String {
    match raster::png(rgb) {
        Ok(png) => format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)),
        Err(_) => "data:,".into(),
    }
}

/// Values for a page's script, in an element of their own: nothing in them can end it.
pub(super) fn data(values: &Value) -> String {
    let json = values.to_string().replace('<', "\\u003c");
    format!("<script type=\"application/json\" id=\"data\">{json}</script>\n")
}

/// The parts of a page.
pub(super) struct Page<'a> {
    pub title: &'a str,
    /// CSS beside that of all pages.
    pub style: &'a str,
    pub body: String,
    pub script: &'a str,
}

impl Page<'_> {
    /// Writes one file that needs no other. The policy lets it load nothing even if a name would try to.
    pub fn save(&self, path: &Path) -> Result<()> {
        let Page { style, body, script, .. } = self;
        let title = escape(self.title);
        write_atomic(path, |writer| {
            write!(
                writer,
                "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                 <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
                 style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
                 <meta name=\"viewport\" content=\"width=device-width\">\n\
                 <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
                 <style>\n{STYLE}{style}</style>\n</head>\n<body>\n{body}<script>\n{script}</script>\n\
                 </body>\n</html>\n"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(escape("<b a=\"1\">&\u{1}\u{ffff}ü"), "&lt;b a=&quot;1&quot;&gt;&amp;\u{fffd}\u{fffd}ü");
        let hostile = serde_json::json!(["</script><script>alert(1)</script><!--"]);
        let element = data(&hostile);
        assert_eq!(element.matches('<').count(), 2, "{element}");
        let (_, json) = element.split_once('>').unwrap();
        let (json, _) = json.split_once('<').unwrap();
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), hostile);
    }
}
