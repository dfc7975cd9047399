//! Splits a file into words and signs.

/// A word, a number, a text in quotes or a sign, and its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// The tokens of a file without comments and preprocessor lines, and the headers that it includes. A preprocessor line
/// that makes kernels is kept as one token, so that the parser can refuse it.
pub fn tokens(text: &str) -> (Vec<Token>, Vec<String>) {
    let (mut tokens, mut headers) = (Vec::new(), Vec::new());
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, kept) = match first {
            '#' => {
                let length = directive(rest);
                headers.extend(header(&rest[..length]));
                (length, rest[..length].contains("__global__"))
            }
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), false),
            '"' => (rest[1..].find('"').map_or(rest.len(), |end| end + 2), true),
            c if c.is_whitespace() => (c.len_utf8(), false),
            c if c.is_ascii_digit() => (number(rest), true),
            c if is_word(c) => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true),
            _ if rest.starts_with("<<") || rest.starts_with(">>") => (2, true),
            c => (c.len_utf8(), true),
        };
        if kept {
            tokens.push(Token { text: rest[..length].into(), line });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    (tokens, headers)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The length of a number such as `1e-3f`.
fn number(text: &str) -> usize {
    let end = text.find(|c| !is_word(c) && c != '.').unwrap_or(text.len());
    let signed =
        text[..end].ends_with(['e', 'E']) && !text.starts_with("0x") && text[end..].starts_with(['-', '+']);
    if signed { end + 1 + number(&text[end + 1..]) } else { end }
}

/// The length of a preprocessor line, with the lines that continue it after a backslash.
fn directive(text: &str) -> usize {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if !line.trim_end().ends_with('\\') {
            break;
        }
    }
    end
}

fn header(directive: &str) -> Option<String> {
    let name = directive.trim_start_matches('#').trim().strip_prefix("include")?.trim();
    Some(name.strip_prefix('"')?.split('"').next()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_directives_are_left_out_but_counted() {
        let text = "// a\n#include \"prims.cuh\"\n#define X \\\n  1\n/* b\n */ x.y = 1.5e-3f<<2; \"a b\"";
        let (tokens, headers) = tokens(text);
        assert_eq!(headers, ["prims.cuh"]);
        let texts: Vec<&str> = tokens.iter().map(|token| &*token.text).collect();
        assert_eq!(texts, ["x", ".", "y", "=", "1.5e-3f", "<<", "2", ";", "\"a b\""]);
        assert!(tokens.iter().all(|token| token.line == 6));
    }
}
