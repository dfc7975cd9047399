//! Computes the values of constants and the offsets of fields in structs, by the rules that CUDA C++ and `repr(C)`
//! share.

use std::collections::HashMap;

use super::Result;
use super::parse::{Constant, Enum, Field, File, Struct, Type};
use super::tokens::Token;

/// Types of numbers and vectors: name in the kernels, name in Rust, size and alignment in bytes.
const NUMBERS: &[(&str, &str, u64, u64)] = &[
    ("unsigned char", "u8", 1, 1),
    ("u16", "u16", 2, 2),
    ("half_t", "super::Half", 2, 2),
    ("int", "i32", 4, 4),
    ("u32", "u32", 4, 4),
    ("float", "f32", 4, 4),
    ("long long", "i64", 8, 8),
    ("u64", "u64", 8, 8),
    ("double", "f64", 8, 8),
    ("Vec", "[f32; 2]", 8, 8),
    ("Vec3", "[f32; 3]", 12, 4),
    ("uint4", "[u32; 4]", 16, 16),
];

/// The value of a `constexpr` constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Integer(i64),
    Float(f64),
}

/// How a struct lies in memory, in bytes.
#[derive(Debug, PartialEq)]
pub struct Layout {
    pub size: u64,
    pub align: u64,
    /// Offset of each field, in the order of the fields.
    pub offsets: Vec<u64>,
}

/// The declarations that a file can use: its own and those of its headers.
pub struct Scope<'a> {
    file: &'a File,
    headers: Vec<&'a File>,
    values: HashMap<&'a str, Value>,
}

impl<'a> Scope<'a> {
    /// # Errors
    /// A constant cannot be computed.
    pub fn new(file: &'a File, all: &'a [File]) -> Result<Self> {
        let mut headers = Vec::new();
        collect(file, all, &mut headers);
        let mut scope = Scope { file, headers, values: HashMap::new() };
        for of in scope.headers.clone().into_iter().chain([file]) {
            for constant in &of.constants {
                let value = scope.compute(&constant.value).ok_or_else(|| wrong_constant(of, constant))?;
                scope.values.insert(&constant.name, value);
            }
        }
        Ok(scope)
    }

    /// All headers of the file; each comes after the headers that it includes.
    pub fn headers(&self) -> &[&'a File] {
        &self.headers
    }

    pub fn structure(&self, name: &str) -> Option<&'a Struct> {
        self.files().flat_map(|file| &file.structs).find(|of| of.name == name)
    }

    pub fn enumeration(&self, name: &str) -> Option<&'a Enum> {
        self.files().flat_map(|file| &file.enums).find(|of| of.name == name)
    }

    pub fn constant(&self, name: &str) -> Value {
        self.values[name]
    }

    pub fn integer(&self, tokens: &[Token]) -> Option<u64> {
        match self.compute(tokens)? {
            Value::Integer(value) => value.try_into().ok(),
            Value::Float(_) => None,
        }
    }

    /// The name of a type in Rust; of a pointer, the type that it points to.
    pub fn rust(&self, kind: &Type, parameter: Option<&str>) -> Option<String> {
        if let Some((_, rust, ..)) = number(&kind.name) {
            return Some((*rust).into());
        }
        if parameter == Some(&kind.name) {
            return Some(kind.name.clone());
        }
        if self.enumeration(&kind.name).is_some() {
            return Some(format!("super::{}", kind.name));
        }
        let of = self.structure(&kind.name)?;
        match (&of.parameter, &kind.argument) {
            (None, None) => Some(of.name.clone()),
            (Some(_), Some(argument)) => Some(format!("{}<{}>", of.name, number(argument)?.1)),
            _ => None,
        }
    }

    /// # Errors
    /// A field cannot be read, or its type is not known.
    pub fn layout(&self, of: &Struct) -> Result<Layout> {
        let fields = of.fields.as_ref().map_err(String::clone)?;
        let wrong = |what: &str| format!("{}: {} {what}", of.place, of.name);
        let aligned = |align: &[Token]| match align {
            [] => Ok(1),
            _ => self.integer(align).ok_or_else(|| wrong("has an alignment that is no number")),
        };
        let (mut at, mut align, mut offsets) = (0_u64, aligned(&of.align)?, Vec::new());
        for field in fields {
            let (size, own) = self.size_of(field, of).ok_or_else(|| {
                wrong(&format!("has a field `{}` whose size the launchers do not know", field.name))
            })?;
            let own = own.max(aligned(&field.align)?);
            at = at.next_multiple_of(own);
            offsets.push(at);
            (at, align) = (at + size, align.max(own));
        }
        Ok(Layout { size: at.next_multiple_of(align), align, offsets })
    }

    /// Size and alignment of a field in bytes.
    fn size_of(&self, field: &Field, of: &Struct) -> Option<(u64, u64)> {
        let (size, align) = if field.kind.pointer.is_some() {
            (8, 8)
        } else if let Some((_, _, size, align)) = number(&field.kind.name) {
            (*size, *align)
        } else if of.parameter.as_ref() == Some(&field.kind.name) {
            return None;
        } else if self.enumeration(&field.kind.name).is_some() {
            (4, 4)
        } else {
            let layout = self.layout(self.structure(&field.kind.name)?).ok()?;
            (layout.size, layout.align)
        };
        let count = field.sizes.iter().map(|size| self.integer(size)).product::<Option<u64>>()?;
        Some((size * count, align))
    }

    fn files(&self) -> impl Iterator<Item = &'a File> {
        [self.file].into_iter().chain(self.headers.clone())
    }

    fn compute(&self, tokens: &[Token]) -> Option<Value> {
        let mut sum = Sum { scope: self, tokens, at: 0 };
        let value = sum.value(0)?;
        (sum.at == tokens.len()).then_some(value)
    }
}

fn collect<'a>(file: &File, all: &'a [File], headers: &mut Vec<&'a File>) {
    for name in &file.headers {
        if let Some(header) = all.iter().find(|other| other.name == *name) {
            collect(header, all, headers);
            if !headers.iter().any(|other| other.name == *name) {
                headers.push(header);
            }
        }
    }
}

fn wrong_constant(file: &File, constant: &Constant) -> String {
    format!(
        "kernels/{}:{}: the launchers cannot compute the constant {}",
        file.name, constant.line, constant.name
    )
}

pub fn number(name: &str) -> Option<&'static (&'static str, &'static str, u64, u64)> {
    NUMBERS.iter().find(|(kernel, ..)| *kernel == name)
}

/// Computes an expression of constants by the precedence of its operators.
struct Sum<'a> {
    scope: &'a Scope<'a>,
    tokens: &'a [Token],
    at: usize,
}

impl Sum<'_> {
    fn value(&mut self, least: u8) -> Option<Value> {
        let mut left = self.term()?;
        while let Some(sign) = self.tokens.get(self.at).map(|token| &*token.text) {
            let binds = match sign {
                "<<" | ">>" => 1,
                "+" | "-" => 2,
                "*" | "/" | "%" => 3,
                _ => return Some(left),
            };
            if binds <= least {
                return Some(left);
            }
            self.at += 1;
            left = combine(sign, left, self.value(binds)?)?;
        }
        Some(left)
    }

    fn term(&mut self) -> Option<Value> {
        let text = &*self.tokens.get(self.at)?.text;
        self.at += 1;
        match text {
            "-" => match self.term()? {
                Value::Integer(value) => Some(Value::Integer(-value)),
                Value::Float(value) => Some(Value::Float(-value)),
            },
            "(" => {
                let value = self.value(0)?;
                let closed = self.tokens.get(self.at)?.text == ")";
                self.at += 1;
                closed.then_some(value)
            }
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => literal(text),
            _ => self.scope.values.get(text).copied(),
        }
    }
}

fn literal(text: &str) -> Option<Value> {
    if text.contains(['.', 'e']) {
        return text.trim_end_matches('f').parse().ok().map(Value::Float);
    }
    text.trim_end_matches(['u', 'l']).parse().ok().map(Value::Integer)
}

fn combine(sign: &str, left: Value, right: Value) -> Option<Value> {
    let (Value::Integer(a), Value::Integer(b)) = (left, right) else { return None };
    let value = match sign {
        "<<" => a.checked_shl(b.try_into().ok()?),
        ">>" => a.checked_shr(b.try_into().ok()?),
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    value.map(Value::Integer)
}
