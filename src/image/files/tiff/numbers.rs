//! Numbers of the types that a TIFF can have.

use half::f16;

use super::super::samples::Decoded;
use super::directory::Page;
use crate::memory::collected;
use crate::npy::numbers;

/// The numbers of a strip or tile.
#[derive(Debug, PartialEq)]
pub(super) enum Numbers {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F16(Vec<f16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Numbers {
    /// Numbers in the byte order of this machine, with `row` of them in a row.
    pub fn of(page: &Page, bytes: Vec<u8>, row: usize) -> Decoded<Self> {
        macro_rules! native {
            ($variant:ident) => {
                Ok(Numbers::$variant(numbers(&bytes, cfg!(target_endian = "big"), |v| v)))
            };
        }
        match (page.format, page.bits) {
            (1, 8) => Ok(Numbers::U8(bytes)),
            (1, 16) => native!(U16),
            (1, 32) => native!(U32),
            (1, 64) => native!(U64),
            (2, 8) => native!(I8),
            (2, 16) => native!(I16),
            (2, 32) => native!(I32),
            (2, 64) => native!(I64),
            (3, 16) => native!(F16),
            (3, 32) => native!(F32),
            (3, 64) => native!(F64),
            (1, 1..=7) => Ok(Numbers::U8(unpack(&bytes, page.bits, row, |v| v as u8))),
            (1, 9..=15) => Ok(Numbers::U16(unpack(&bytes, page.bits, row, |v| v as u16))),
            (format, bits) => Err(format!("TIFF samples of {bits} bits (format {format}) are not supported")),
        }
    }
}

/// Unpacks values of 1 to 16 bits, the highest bits of a byte first. Every row, of `row` values, begins a new byte.
pub(in super::super) fn unpack<T>(
    bytes: &[u8],
    bits: u64,
    row: usize,
    convert: impl Fn(u32) -> T + Copy,
) -> Vec<T> {
    let bits = bits as usize;
    let value = move |bytes: &[u8], i: usize| {
        let first = i * bits / 8;
        // A value of 15 bits may begin at the last bit of a byte, and so lie in three.
        let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
        let three = byte(first) << 16 | byte(first + 1) << 8 | byte(first + 2);
        convert(three >> (24 - bits - i * bits % 8) & ((1 << bits) - 1))
    };
    let rows = bytes.chunks_exact((row * bits).div_ceil(8).max(1));
    collected(rows.len() * row, rows.flat_map(|bytes| (0..row).map(move |i| value(bytes, i))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_unpacked_from_the_highest() {
        let bytes = |bytes: &[u8], bits, row| unpack(bytes, bits, row, |v| v);
        assert_eq!(bytes(&[0b1010_0000, 0b0100_0000], 1, 3), [1, 0, 1, 0, 1, 0]);
        assert_eq!(bytes(&[0b1101_1000, 0b0100_0000], 2, 5), [3, 1, 2, 0, 1]);
        assert_eq!(bytes(&[0x1f, 0x20], 4, 3), [1, 15, 2]);
        assert_eq!(bytes(&[0xab, 0xc1, 0x23, 0xff, 0xf0], 12, 3), [0xabc, 0x123, 0xfff]);
        assert_eq!(bytes(&[0, 1, 0xff, 0xfc], 15, 2), [0, 0x7fff]);
    }
}
