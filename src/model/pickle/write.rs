//! Writes pickles that Python 3 and PyTorch's restricted reader can load.

/// A pickle under construction. It uses no memo, because nothing large is repeated.
pub(in crate::model) struct Writer(Vec<u8>);

impl Writer {
    /// Begins a pickle of this protocol.
    pub(in crate::model) fn new(protocol: u8) -> Self {
        Writer(vec![0x80, protocol])
    }

    /// Opcodes, with their arguments if they have any.
    pub(in crate::model) fn raw(&mut self, opcodes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(opcodes);
        self
    }

    pub(in crate::model) fn global(&mut self, module: &str, name: &str) -> &mut Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    /// At most 4 GiB of text.
    pub(in crate::model) fn text(&mut self, text: &str) -> &mut Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    /// Bytes; needs protocol 3, and 4 for 4 GiB or more.
    pub(in crate::model) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes_begin(bytes.len()).raw(bytes)
    }

    /// What comes before so many bytes.
    pub(in crate::model) fn bytes_begin(&mut self, length: usize) -> &mut Self {
        match u32::try_from(length) {
            Ok(length) => self.raw(b"B").raw(&length.to_le_bytes()),
            Err(_) => self.raw(b"\x8e").raw(&(length as u64).to_le_bytes()),
        }
    }

    /// An integer that is not negative.
    pub(in crate::model) fn integer(&mut self, value: usize) -> &mut Self {
        match i32::try_from(value) {
            Ok(value) => self.raw(b"J").raw(&value.to_le_bytes()),
            // The ninth byte, the highest, is zero because it holds the sign.
            Err(_) => self.raw(&[0x8a, 9]).raw(&(value as u64).to_le_bytes()).raw(&[0]),
        }
    }

    pub(in crate::model) fn float(&mut self, value: f64) -> &mut Self {
        self.raw(b"G").raw(&value.to_be_bytes())
    }

    /// A tuple of such integers.
    pub(in crate::model) fn tuple(&mut self, values: &[usize]) -> &mut Self {
        self.raw(b"(");
        for &value in values {
            self.integer(value);
        }
        self.raw(b"t")
    }

    /// Takes what was written until now.
    pub(in crate::model) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    pub(in crate::model) fn finish(mut self) -> Vec<u8> {
        self.raw(b".");
        self.0
    }
}
