//! The stack machine that reads a pickle.

use std::collections::HashMap;

use super::{Object, Pickle, Result, Value};

/// The most opcodes of a pickle. A state dict has a few thousand, and a `_seg.npy` about one for each cell. Each makes at
/// most one value, so that a pickle of any length takes less than 300 MB.
const MAX_OPCODES: usize = 1 << 20;

/// A call of this global becomes an ordinary dictionary.
const ORDERED_DICT: &str = "collections.OrderedDict";

/// Reads one pickle from the start of `input`, and moves `input` past it. The `allowed` globals are written as
/// `module.name`.
///
/// # Errors
/// A sentence that names an opcode or a global that is not allowed, or says that the pickle is damaged.
pub(in crate::model) fn read<'a>(input: &mut &'a [u8], allowed: &[&'static str]) -> Result<Pickle<'a>> {
    let mut machine = Machine {
        input,
        allowed,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        objects: Vec::new(),
    };
    let root = machine.run()?;
    Ok(Pickle { root, objects: machine.objects })
}

struct Machine<'a, 'b> {
    input: &'b mut &'a [u8],
    allowed: &'b [&'static str],
    stack: Vec<Value<'a>>,
    /// Lengths of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    objects: Vec<Object<'a>>,
}

impl<'a> Machine<'a, '_> {
    fn run(&mut self) -> Result<Value<'a>> {
        for _ in 0..MAX_OPCODES {
            match self.array::<1>()?[0] {
                b'.' => return self.pop(),
                opcode => self.step(opcode)?,
            }
        }
        Err(format!("its pickle has more than {MAX_OPCODES} opcodes"))
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => self.protocol()?,
            0x95 => drop(self.array::<8>()?), // FRAME: the number of bytes to read ahead
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8a => self.integer(opcode)?,
            b'G' => {
                let bytes = self.array()?;
                self.push(Value::Float(f64::from_be_bytes(bytes)));
            }
            b'X' | 0x8c | 0x8d => {
                let text = self.counted(opcode)?;
                let text = std::str::from_utf8(text).map_err(|_| "its pickle has text that is not UTF-8")?;
                self.push(Value::Str(text));
            }
            b'B' | b'C' | 0x8e => {
                let bytes = self.counted(opcode)?;
                self.push(Value::Bytes(bytes));
            }
            b')' | b']' => self.make(Object::List(Vec::new())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.make(Object::List(items));
            }
            0x85..=0x87 => self.short_tuple(usize::from(opcode - 0x84))?,
            b'}' => self.make(Object::Dict(Vec::new())),
            b'a' | b'e' => self.append(opcode == b'e')?,
            b's' | b'u' => self.set_items(opcode == b'u')?,
            b'q' | b'r' | 0x94 => self.put(opcode)?,
            b'h' | b'j' => self.get(opcode)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Str(name), Value::Str(module)) => self.global(module, name)?,
                _ => return Err(damaged()),
            },
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                self.make(Object::Persistent(id));
            }
            other => {
                return Err(format!(
                    "its pickle has the opcode {}, which is not allowed",
                    opcode_name(other)
                ));
            }
        }
        Ok(())
    }

    fn protocol(&mut self) -> Result<()> {
        match self.array::<1>()? {
            [2..=5] => Ok(()),
            [other] => Err(format!("its pickle has the protocol {other}; 2 to 5 can be read")),
        }
    }

    /// BININT1, BININT2, BININT, LONG1.
    fn integer(&mut self, opcode: u8) -> Result<()> {
        let value = match opcode {
            b'K' => self.array::<1>()?[0].into(),
            b'M' => u16::from_le_bytes(self.array()?).into(),
            b'J' => i32::from_le_bytes(self.array()?).into(),
            _ => {
                let length = self.array::<1>()?[0].into();
                let digits = self.take(length)?;
                if length > 8 {
                    return Err("its pickle has an integer of more than 64 bits".into());
                }
                let negative = digits.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut bytes = [if negative { 0xff } else { 0 }; 8];
                bytes[..length].copy_from_slice(digits);
                i64::from_le_bytes(bytes)
            }
        };
        self.push(Value::Int(value));
        Ok(())
    }

    /// Bytes after their length of one byte (SHORT_BINUNICODE, SHORT_BINBYTES), eight (the "8" opcodes) or four.
    fn counted(&mut self, opcode: u8) -> Result<&'a [u8]> {
        let length = match opcode {
            0x8c | b'C' => self.array::<1>()?[0].into(),
            0x8d | 0x8e => u64::from_le_bytes(self.array()?),
            _ => u32::from_le_bytes(self.array()?).into(),
        };
        self.take(usize::try_from(length).map_err(|_| damaged())?)
    }

    fn short_tuple(&mut self, length: usize) -> Result<()> {
        let mut items = vec![Value::None; length];
        for item in items.iter_mut().rev() {
            *item = self.pop()?;
        }
        self.make(Object::List(items));
        Ok(())
    }

    fn append(&mut self, several: bool) -> Result<()> {
        let items = if several { self.pop_to_mark()? } else { vec![self.pop()?] };
        match self.top()? {
            Object::List(list) => list.extend(items),
            _ => return Err(damaged()),
        }
        Ok(())
    }

    fn set_items(&mut self, several: bool) -> Result<()> {
        let items = if several {
            self.pop_to_mark()?
        } else {
            let value = self.pop()?;
            vec![self.pop()?, value]
        };
        let (pairs, []) = items.as_chunks::<2>() else { return Err(damaged()) };
        match self.top()? {
            Object::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(damaged()),
        }
        Ok(())
    }

    /// BINPUT, LONG_BINPUT, MEMOIZE.
    fn put(&mut self, opcode: u8) -> Result<()> {
        let key = if opcode == 0x94 { self.memo.len() } else { self.memo_key(opcode == b'q')? };
        let value = *self.stack.last().ok_or_else(damaged)?;
        self.memo.insert(key, value);
        Ok(())
    }

    /// BINGET, LONG_BINGET.
    fn get(&mut self, opcode: u8) -> Result<()> {
        let key = self.memo_key(opcode == b'h')?;
        let value = *self.memo.get(&key).ok_or_else(damaged)?;
        self.push(value);
        Ok(())
    }

    fn memo_key(&mut self, short: bool) -> Result<usize> {
        Ok(if short { self.array::<1>()?[0].into() } else { u32::from_le_bytes(self.array()?) as usize })
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let known = self.allowed.iter().find(|allowed| allowed.rsplit_once('.') == Some((module, name)));
        match known {
            Some(&global) => self.push(Value::Global(global)),
            None => return Err(format!("its pickle uses {module}.{name}, which is not allowed")),
        }
        Ok(())
    }

    fn reduce(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        let Value::Global(function) = self.pop()? else { return Err(damaged()) };
        self.make(match function {
            // The argument could be a list of pairs. Pickles of state dicts have none, and set the items later.
            ORDERED_DICT => Object::Dict(Vec::new()),
            function => Object::Call { function, arguments, state: Value::None },
        });
        Ok(())
    }

    fn build(&mut self) -> Result<()> {
        let new = self.pop()?;
        match self.top()? {
            Object::Call { state, .. } => *state = new,
            // This is the `_metadata` of a state dict, version numbers of its layers, which is ignored.
            Object::Dict(_) => {}
            _ => return Err(damaged()),
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(value);
    }

    fn make(&mut self, object: Object<'a>) {
        self.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(damaged());
        }
        self.stack.pop().ok_or_else(damaged)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        let mark = self.marks.pop().ok_or_else(damaged)?;
        // `pop` keeps the stack at or above every open mark.
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    /// The object on top of the stack.
    fn top(&mut self) -> Result<&mut Object<'a>> {
        match self.stack.last() {
            Some(&Value::Object(index)) => self.objects.get_mut(index).ok_or_else(damaged),
            _ => Err(damaged()),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.input.split_at_checked(length).ok_or_else(damaged)?;
        *self.input = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| damaged())
    }

    fn line(&mut self) -> Result<&'a str> {
        let length = self.input.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
        let line = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| damaged())
    }
}

fn damaged() -> String {
    "its pickle is damaged".into()
}

/// The name of an opcode that is not understood.
fn opcode_name(opcode: u8) -> String {
    let name = match opcode {
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'F' => "FLOAT",
        b'I' => "INT",
        b'L' => "LONG",
        b'P' => "PERSID",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'V' => "UNICODE",
        b'd' => "DICT",
        b'g' => "GET",
        b'i' => "INST",
        b'l' => "LIST",
        b'o' => "OBJ",
        b'p' => "PUT",
        0x81 => "NEWOBJ",
        0x82..=0x84 => "EXT",
        0x8b => "LONG4",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x92 => "NEWOBJ_EX",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => return format!("0x{opcode:02x}"),
    };
    name.into()
}
