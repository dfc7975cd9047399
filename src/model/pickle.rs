//! Reads Python pickles as data. Nothing is ever executed: a call of an allowed global becomes an [`Object::Call`] with
//! the name of the global and its arguments, which the readers of PyTorch and NumPy files interpret. All other globals
//! and opcodes are refused, and the error names them.
//!
//! It understands the opcodes of protocols 2 to 5 that state dicts and arrays use; Python's `pickletools` documents
//! them. Every opcode makes at most one value of a fixed size, and their number is bounded, so memory is bounded too. All
//! objects are in one flat list, so deep or cyclic objects need no recursion.

mod machine;
mod write;

pub(super) use machine::read;
pub(super) use write::Writer;

/// The error is a sentence about what is wrong with a pickle.
pub(super) type Result<T> = std::result::Result<T, String>;

/// A Python value. Text and bytes are borrowed from the pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    /// An allowed class or function, as `module.name`.
    Global(&'static str),
    /// An index in [`Pickle::objects`].
    Object(usize),
}

/// A Python object that contains other values.
#[derive(Debug)]
pub(super) enum Object<'a> {
    /// A tuple or a list.
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// A reference to something outside the pickle (a storage of PyTorch).
    Persistent(Value<'a>),
    /// The call `function(*arguments)`, and the state that is set on its result.
    Call {
        function: &'static str,
        arguments: Value<'a>,
        state: Value<'a>,
    },
}

/// All objects of a pickle, and its root value.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    objects: Vec<Object<'a>>,
    pub(super) root: Value<'a>,
}

impl<'a> Pickle<'a> {
    pub(super) fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Object<'a>> {
        self.objects.iter()
    }

    /// The items of a tuple or list.
    pub(super) fn list(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match self.object(value)? {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a dictionary, in order.
    pub(super) fn dict(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        match self.object(value)? {
            Object::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The value of a key in a dictionary. If the key occurs several times, the last one counts.
    pub(super) fn get(&self, dict: Value<'a>, key: &str) -> Option<Value<'a>> {
        let (_, value) = self.dict(dict)?.iter().rev().find(|(name, _)| *name == Value::Str(key))?;
        Some(*value)
    }

    /// If the value is a call of one of the functions in `names`: the name, the arguments and the state.
    pub(super) fn call(
        &self,
        value: Value<'a>,
        names: &[&str],
    ) -> Option<(&'static str, &[Value<'a>], Value<'a>)> {
        match *self.object(value)? {
            Object::Call { function, arguments, state } if names.contains(&function) => {
                Some((function, self.list(arguments)?, state))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all<'a>(mut bytes: &'a [u8], allowed: &[&'static str]) -> Result<Pickle<'a>> {
        read(&mut bytes, allowed)
    }

    /// `{"a": [1, -2, 2**40, 0.5], "b": (None, True, b"x"), "c": {}}`.
    #[test]
    fn plain_values_of_protocols_2_and_4_are_read() {
        let four: &[u8] =
            b"\x80\x04\x95\x37\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94(K\x01J\xfe\xff\xff\xff\x8a\
            \x06\0\0\0\0\0\x01G?\xe0\0\0\0\0\0\0e\x8c\x01b\x94N\x88C\x01x\x94\x87\x94\x8c\x01c\x94}\x94u.";
        let two: &[u8] = b"\x80\x02}q\0(X\x01\0\0\0aq\x01]q\x02(K\x01J\xfe\xff\xff\xff\x8a\
            \x06\0\0\0\0\0\x01G?\xe0\0\0\0\0\0\0eX\x01\0\0\0bq\x03N\x88C\x01xq\x04\x87q\x05X\x01\0\0\0cq\x06}q\x07u.";
        for bytes in [two, four] {
            let pickle = read_all(bytes, &[]).unwrap();
            let a = pickle.list(pickle.get(pickle.root, "a").unwrap()).unwrap();
            assert_eq!(a, [Value::Int(1), Value::Int(-2), Value::Int(1 << 40), Value::Float(0.5)]);
            let b = pickle.list(pickle.get(pickle.root, "b").unwrap()).unwrap();
            assert_eq!(b, [Value::None, Value::Bool(true), Value::Bytes(b"x")]);
            assert!(pickle.dict(pickle.get(pickle.root, "c").unwrap()).unwrap().is_empty());
            for length in 0..bytes.len() {
                assert!(read_all(&bytes[..length], &[]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn a_call_stays_a_call_and_the_memo_sees_its_later_state() {
        // x = f(1); x.__setstate__(2); [x, x]
        let bytes = b"\x80\x02]cm\nf\nK\x01\x85Rq\x00K\x02bah\x00a.";
        let pickle = read_all(bytes, &["m.f"]).unwrap();
        let items = pickle.list(pickle.root).unwrap();
        assert_eq!(items.len(), 2);
        for &item in items {
            assert_eq!(pickle.call(item, &["m.f"]), Some(("m.f", &[Value::Int(1)][..], Value::Int(2))));
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let refused = |bytes: &[u8]| read_all(bytes, &["m.f", "posix.f"]).unwrap_err();
        assert!(refused(b"\x80\x02cposix\nsystem\n(X\x04\0\0\0true.").contains("posix.system"));
        assert!(refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").contains("builtins.eval"));
        assert!(refused(b"(S'true'\nios\nsystem\n.").contains("opcode STRING"));
        assert!(refused(b"(ios\nsystem\n.").contains("opcode INST"));
        assert!(refused(b"\x80\x04\x81.").contains("opcode NEWOBJ"));
        assert!(refused(b"\x80\x04\x82\x01.").contains("opcode EXT"));
        assert!(refused(b"\x80\x01.").contains("protocol 1"));
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [
            &b"."[..],
            b"(.",                                    // nothing above the mark
            b"K\x01(\x85.",                           // a tuple across a mark
            b"t.",                                    // no mark
            b"h\x01.",                                // nothing in the memo
            b"q\x01.",                                // nothing to put there
            b"K\x01K\x01a.",                          // an integer is no list
            b"}(K\x01u.",                             // a key without a value
            b"K\x01)R.",                              // the call of an integer
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", // 2^64 bytes
            b"\x8a\x09\0\0\0\0\0\0\0\0\x01.",         // 2^64
            b"X\x01\0\0\0\xff.",                      // not UTF-8
        ] {
            assert!(read_all(bytes, &[]).is_err(), "{bytes:?}");
        }
        // A list that contains itself, nested a million deep, must be read and freed without recursion.
        let mut deep = b"]q\0h\0a".to_vec();
        deep.extend(std::iter::repeat_n(b"\x85", 1_000_000).flatten());
        deep.push(b'.');
        assert!(read_all(&deep, &[]).is_ok());
    }
}
