//! Parses the declarations of a file that a launcher may need. Bodies of functions are skipped.

use super::Result;
use super::tokens::{Token, tokens};

/// A kernel file or a header.
#[derive(Debug)]
pub struct File {
    /// Name of the file, such as `blend.cu`.
    pub name: String,
    pub headers: Vec<String>,
    pub constants: Vec<Constant>,
    pub structs: Vec<Struct>,
    pub enums: Vec<Enum>,
    pub kernels: Vec<Kernel>,
}

/// `constexpr TYPE NAME = VALUE;`
#[derive(Debug)]
pub struct Constant {
    pub name: String,
    pub kind: String,
    pub value: Vec<Token>,
    pub line: usize,
}

/// A struct. It may be a template with one type parameter.
#[derive(Debug)]
pub struct Struct {
    pub name: String,
    pub parameter: Option<String>,
    /// The expression in `alignas`; empty if there is none.
    pub align: Vec<Token>,
    /// Fields that cannot be parsed are an error only if a launcher needs the struct.
    pub fields: Result<Vec<Field>>,
    /// File and line of the struct.
    pub place: String,
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    /// The expression in `alignas`; empty if there is none.
    pub align: Vec<Token>,
    pub kind: Type,
    /// The dimensions of an array, the outermost first.
    pub sizes: Vec<Vec<Token>>,
}

/// The type of a field or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// `u32`, `unsigned char`, or the name of a struct or an enum.
    pub name: String,
    /// The type argument of a struct template.
    pub argument: Option<String>,
    pub pointer: Option<Access>,
}

/// Whether a kernel may write through a pointer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    Read,
    Write,
}

/// An enum with its values and their numbers.
#[derive(Debug)]
pub struct Enum {
    pub name: String,
    pub values: Vec<(String, i64)>,
}

/// `extern "C" __global__ void LAUNCH_BOUNDS(threads, blocks) NAME(parameters)`
#[derive(Debug)]
pub struct Kernel {
    pub name: String,
    /// The most threads of a block, from the launch bounds.
    pub threads: Vec<Token>,
    pub parameters: Vec<(String, Type)>,
    pub line: usize,
}

/// Parses a file.
///
/// # Errors
/// A declaration has a form that the launchers do not know.
pub fn file(name: &str, text: &str) -> Result<File> {
    let (tokens, headers) = tokens(text);
    let mut reader = Reader { file: name, tokens: &tokens, at: 0 };
    let mut file = File {
        name: name.into(),
        headers,
        constants: Vec::new(),
        structs: Vec::new(),
        enums: Vec::new(),
        kernels: Vec::new(),
    };
    while reader.at < tokens.len() {
        reader.declaration(&mut file)?;
    }
    Ok(file)
}

struct Reader<'a> {
    file: &'a str,
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn declaration(&mut self, file: &mut File) -> Result<()> {
        match self.peek() {
            // Declarations in a namespace are read like those outside.
            "namespace" => {
                self.at += 1;
                if self.peek() != "{" {
                    self.at += 1;
                }
                self.expect("{")
            }
            "}" | ";" => {
                self.at += 1;
                Ok(())
            }
            "EMU_KERNEL" => {
                self.at += 1;
                self.enclosed("(", ")").map(|_| ())
            }
            "extern" if self.peek_at(1) == "\"C\"" && self.peek_at(2) == "__global__" => {
                file.kernels.push(self.kernel()?);
                Ok(())
            }
            "constexpr" if self.is_constant() => self.constants(&mut file.constants),
            "enum" => {
                file.enums.push(self.enumeration()?);
                Ok(())
            }
            "struct" => {
                let read = self.structure(None)?;
                file.structs.push(read);
                Ok(())
            }
            "template" => {
                self.at += 1;
                let parameters = self.enclosed("<", ">")?;
                if self.peek() != "struct" {
                    return self.skip();
                }
                let read = self.structure(Some(&parameters))?;
                file.structs.push(read);
                Ok(())
            }
            _ => self.skip(),
        }
    }

    /// Skips a function with its body, or another declaration up to its semicolon. It is an error if a kernel is in it,
    /// since the kernel would get no launcher.
    fn skip(&mut self) -> Result<()> {
        let start = self.at;
        self.skip_any()?;
        let skipped = start..self.at;
        match self.tokens[skipped].iter().position(|token| token.text.contains("__global__")) {
            Some(found) => {
                self.at = start + found;
                Err(self.refused(
                    r#"a kernel as `extern "C" __global__ void LAUNCH_BOUNDS(threads, blocks) NAME(…)`"#,
                ))
            }
            None => Ok(()),
        }
    }

    fn skip_any(&mut self) -> Result<()> {
        loop {
            match self.peek() {
                "" => return Ok(()),
                ";" => {
                    self.at += 1;
                    return Ok(());
                }
                "{" => return self.enclosed("{", "}").map(|_| ()),
                "(" => drop(self.enclosed("(", ")")?),
                _ => self.at += 1,
            }
        }
    }

    fn kernel(&mut self) -> Result<Kernel> {
        self.at += 3;
        self.expect("void")?;
        let line = self.line();
        if self.peek() != "LAUNCH_BOUNDS" {
            return Err(self.refused("LAUNCH_BOUNDS(threads, blocks) and a kernel's name"));
        }
        self.at += 1;
        let bounds = self.enclosed("(", ")")?;
        let threads = bounds.split(|token| token.text == ",").next().unwrap_or_default().to_vec();
        let name = self.word()?;
        self.expect("(")?;
        let mut parameters = Vec::new();
        loop {
            let kind = self.kind()?;
            parameters.push((self.word()?, kind));
            match self.next().as_str() {
                "," => {}
                ")" if self.peek() == "{" => break,
                _ => {
                    self.at -= 1;
                    return Err(self.refused("another parameter, or the end of them and the kernel's body"));
                }
            }
        }
        self.enclosed("{", "}")?;
        Ok(Kernel { name, threads, parameters, line })
    }

    /// Reads a type, with an optional `const` before it and an optional star after it.
    fn kind(&mut self) -> Result<Type> {
        let constant = self.peek() == "const";
        self.at += usize::from(constant);
        let mut name = self.word()?;
        if ["unsigned", "long"].contains(&&*name) {
            name = format!("{name} {}", self.word()?);
        }
        let argument = match self.peek() {
            "<" => {
                self.at += 1;
                let argument = self.word()?;
                self.expect(">")?;
                Some(argument)
            }
            _ => None,
        };
        let pointer = self.star(constant);
        Ok(Type { name, argument, pointer })
    }

    fn star(&mut self, constant: bool) -> Option<Access> {
        let star = self.peek() == "*";
        self.at += usize::from(star);
        star.then_some(if constant { Access::Read } else { Access::Write })
    }

    fn is_constant(&self) -> bool {
        let mut after = self.tokens[self.at..].iter().skip(1);
        after
            .find(|token| ["=", "(", ";", "["].contains(&&*token.text))
            .is_some_and(|token| token.text == "=")
    }

    fn constants(&mut self, constants: &mut Vec<Constant>) -> Result<()> {
        self.at += 1;
        let kind = self.kind()?.name;
        loop {
            let (name, line) = (self.word()?, self.line());
            self.expect("=")?;
            let value = self.up_to(&[",", ";"])?;
            constants.push(Constant { name, kind: kind.clone(), value, line });
            if self.next() == ";" {
                return Ok(());
            }
        }
    }

    fn enumeration(&mut self) -> Result<Enum> {
        self.at += 1;
        let name = self.word()?;
        if self.peek() == ":" {
            self.at += 1;
            self.kind()?;
        }
        self.expect("{")?;
        let (mut values, mut number) = (Vec::new(), 0);
        while self.peek() != "}" {
            let value = self.word()?;
            if self.peek() == "=" {
                self.at += 1;
                let text = self.next();
                number = text.parse().map_err(|_| self.refused("a number"))?;
            }
            values.push((value, number));
            number += 1;
            if self.peek() == "," {
                self.at += 1;
            }
        }
        self.expect("}")?;
        self.expect(";")?;
        Ok(Enum { name, values })
    }

    /// Reads a struct from the word `struct` on; `parameters` are those of a `template <…>` before it.
    fn structure(&mut self, parameters: Option<&[Token]>) -> Result<Struct> {
        self.at += 1;
        let align = self.align()?;
        let (place, name) = (self.place(), self.word()?);
        let mut inside = Reader { at: self.at + 1, ..*self };
        self.enclosed("{", "}")?;
        let end = self.at - 1;
        inside.tokens = &self.tokens[..end];
        let fields = inside.fields();
        self.expect(";")?;
        let parameter = match parameters {
            Some([class, name]) if class.text == "class" => Some(name.text.clone()),
            Some(_) => {
                let fields = Err(self.refused("a struct with one type as its parameter"));
                return Ok(Struct { name, parameter: None, align, fields, place });
            }
            None => None,
        };
        Ok(Struct { name, parameter, align, fields, place })
    }

    fn align(&mut self) -> Result<Vec<Token>> {
        if self.peek() != "alignas" {
            return Ok(Vec::new());
        }
        self.at += 1;
        self.enclosed("(", ")")
    }

    fn fields(&mut self) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        while self.at < self.tokens.len() {
            let align = self.align()?;
            let constant = self.peek() == "const";
            let mut kind = self.kind()?;
            loop {
                let name = self.word()?;
                let mut sizes = Vec::new();
                while self.peek() == "[" {
                    sizes.push(self.enclosed("[", "]")?);
                }
                fields.push(Field { name, align: align.clone(), kind: kind.clone(), sizes });
                match self.peek() {
                    "," => {
                        self.at += 1;
                        kind.pointer = self.star(constant);
                    }
                    _ => break,
                }
            }
            self.expect(";")?;
        }
        Ok(fields)
    }

    /// The tokens between `open`, which must be the next token, and the `close` that matches it.
    fn enclosed(&mut self, open: &str, close: &str) -> Result<Vec<Token>> {
        self.expect(open)?;
        let (start, mut depth) = (self.at, 1);
        while depth > 0 {
            match self.peek() {
                "" => return Err(self.refused(close)),
                text if text == open => depth += 1,
                text if text == close => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Ok(self.tokens[start..self.at - 1].to_vec())
    }

    fn up_to(&mut self, ends: &[&str]) -> Result<Vec<Token>> {
        let start = self.at;
        while !ends.contains(&self.peek()) {
            match self.peek() {
                "" => return Err(self.refused(ends[0])),
                "(" => drop(self.enclosed("(", ")")?),
                _ => self.at += 1,
            }
        }
        Ok(self.tokens[start..self.at].to_vec())
    }

    fn word(&mut self) -> Result<String> {
        let reserved = ["const", "static", "using", "template", "alignas", "constexpr", "struct"];
        let first = self.peek().chars().next().unwrap_or(' ');
        if !(first.is_ascii_alphabetic() || first == '_') || reserved.contains(&self.peek()) {
            return Err(self.refused("a name"));
        }
        Ok(self.next())
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        if self.peek() != text {
            return Err(self.refused(text));
        }
        self.at += 1;
        Ok(())
    }

    fn next(&mut self) -> String {
        let text = self.peek().to_string();
        self.at += 1;
        text
    }

    fn peek(&self) -> &str {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| &token.text)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.line)
    }

    fn place(&self) -> String {
        format!("kernels/{}:{}", self.file, self.line())
    }

    fn refused(&self, wanted: &str) -> String {
        let found = match self.peek() {
            "" => "the end".into(),
            text => format!("`{text}`"),
        };
        format!("{}: {found} stands where the launchers need {wanted}", self.place())
    }
}
