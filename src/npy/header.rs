//! The header of an NPY file: the text of a Python dictionary.

/// The largest number of axes that NumPy allows.
pub(super) const MAX_AXES: usize = 64;

/// The entries of a header such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
pub(super) struct Header<'a> {
    /// The type with its byte order, such as `<f4`.
    pub descr: &'a str,
    /// Whether the first axis runs fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

impl<'a> Header<'a> {
    pub fn parse(text: &'a [u8]) -> Result<Self, String> {
        let mut python = Python(text);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        python.expect("{")?;
        while !python.skip("}") {
            let key = python.string()?;
            python.expect(":")?;
            match key {
                "descr" if python.skip("[") => return Err("arrays of records are not supported".into()),
                "descr" => descr = Some(python.string()?),
                "fortran_order" => fortran = Some(python.truth()?),
                "shape" => shape = Some(python.tuple()?),
                _ => return Err("the NPY header has an unknown entry".into()),
            }
            if !python.skip(",") {
                python.expect("}")?;
                break;
            }
        }
        Ok(Header {
            descr: descr.ok_or("the NPY header has no 'descr'")?,
            fortran: fortran.ok_or("the NPY header has no 'fortran_order'")?,
            shape: shape.ok_or("the NPY header has no 'shape'")?,
        })
    }
}

/// Splits a file into the text of the header and the numbers after it.
pub(super) fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    match file.strip_prefix(b"\x93NUMPY")? {
        [1, _, a, b, rest @ ..] => rest.split_at_checked(u16::from_le_bytes([*a, *b]).into()),
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            rest.split_at_checked(u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        _ => None,
    }
}

/// Splits a description such as `<f4` into the type and whether it is big-endian.
pub(super) fn order(descr: &str) -> (&str, bool) {
    let native = cfg!(target_endian = "big");
    match descr.split_at_checked(1) {
        Some((">", kind)) => (kind, true),
        Some(("<" | "|", kind)) => (kind, false),
        Some(("=", kind)) => (kind, native),
        _ => (descr, native),
    }
}

/// The unread part of a text in Python. Only the literals of headers are understood. None of them contains another one,
/// so no nesting can be too deep.
struct Python<'a>(&'a [u8]);

impl<'a> Python<'a> {
    /// Skips white space, then `token`. Returns whether the token was there.
    fn skip(&mut self, token: &str) -> bool {
        self.0 = self.0.trim_ascii_start();
        let rest = self.0.strip_prefix(token.as_bytes());
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        let found = self.skip(token);
        found.then_some(()).ok_or_else(|| format!("the NPY header is damaged: {token} is missing"))
    }

    /// `'descr'`
    fn string(&mut self) -> Result<&'a str, String> {
        let quote = if self.skip("\"") { b'"' } else { b'\'' };
        if quote == b'\'' {
            self.expect("'")?;
        }
        let end = self.0.iter().position(|&b| b == quote).ok_or("the NPY header ends within a text")?;
        let (text, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        std::str::from_utf8(text).map_err(|_| "the NPY header has a text that is not Unicode".into())
    }

    /// `True` or `False`
    fn truth(&mut self) -> Result<bool, String> {
        let truth = self.skip("True");
        if !truth {
            self.expect("False")?;
        }
        Ok(truth)
    }

    /// `(3, 4)`
    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        let mut numbers = Vec::new();
        self.expect("(")?;
        while !self.skip(")") {
            if numbers.len() == MAX_AXES {
                return Err(format!("the NPY header has more than {MAX_AXES} axes"));
            }
            numbers.push(self.number()?);
            if !self.skip(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(numbers)
    }

    /// `3`, or `3L` as Python 2 may have written it
    fn number(&mut self) -> Result<usize, String> {
        self.0 = self.0.trim_ascii_start();
        let end = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        self.skip("L");
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        number.ok_or_else(|| "the shape in the NPY header is not a tuple of numbers".into())
    }
}
