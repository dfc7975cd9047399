//! The samples of one strip or tile: unpacked, in the byte order of this machine, and without the predictor.

use std::io::{ErrorKind, Read};

use fax::decoder::{decode_g3, decode_g4};
use flate2::read::ZlibDecoder;
use lzma_rust2::XzReader;
use weezl::{BitOrder, LzwStatus};

use super::super::samples::Decoded;
use super::codec::*;
use super::directory::Page;
use super::{picture, predictor};
use crate::memory::{collected, copied, zeros};

pub(super) const INCOMPLETE: &str = "a strip or tile of the TIFF is incomplete";
pub(super) const DAMAGED: &str = "a strip or tile of the TIFF is damaged";

/// Unpacks the strip or tile `packed` of `columns` by `rows` pixels. Rows are filled up to whole bytes.
pub(super) fn samples(file: &[u8], page: &Page, packed: &[u8], columns: u64, rows: u64) -> Decoded<Vec<u8>> {
    let row = usize::try_from(page.row_bytes(columns)).map_err(|e| e.to_string())?;
    let size = (columns as usize, rows as usize);
    // The sizes were checked: the whole chunk has at most 2^31 samples.
    let length = row * size.1;
    if matches!(page.compression, JPEG | JPEG2000 | APERIO_RGB) {
        return picture::samples(file, page, packed, size);
    }
    let reversed: Vec<u8>;
    let packed = if page.reversed_bits {
        reversed = collected(packed.len(), packed.iter().map(|byte| byte.reverse_bits()));
        &reversed
    } else {
        packed
    };
    let mut samples = match page.compression {
        LZW => lzw(packed, length)?,
        DEFLATE | DEFLATE_OLD => fill(ZlibDecoder::new(packed), length)?,
        PACKBITS => packbits(packed, length)?,
        LZMA => fill(XzReader::new_mem_limit(packed, false, 1 << 20), length)?,
        ZSTD => fill(zstd::Decoder::with_buffer(packed).map_err(|_| DAMAGED)?, length)?,
        FAX3 | FAX4 => fax(page, packed, size, row)?,
        _ => copied(packed.get(..length).ok_or(INCOMPLETE)?),
    };
    predictor::undo(page, &mut samples, row);
    Ok(samples)
}

/// Reads exactly `length` bytes.
fn fill(mut reader: impl Read, length: usize) -> Decoded<Vec<u8>> {
    let mut bytes = zeros(length);
    reader.read_exact(&mut bytes).map_err(|e| match e.kind() {
        ErrorKind::UnexpectedEof => INCOMPLETE,
        _ => DAMAGED,
    })?;
    Ok(bytes)
}

fn lzw(mut packed: &[u8], length: usize) -> Decoded<Vec<u8>> {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut bytes = zeros(length);
    let mut done = 0;
    while done < length {
        let step = decoder.decode_bytes(packed, &mut bytes[done..]);
        packed = &packed[step.consumed_in..];
        done += step.consumed_out;
        match step.status {
            Err(_) => return Err(DAMAGED.into()),
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) if done < length => return Err(INCOMPLETE.into()),
            Ok(_) => {}
        }
    }
    Ok(bytes)
}

/// TIFF 6.0, section 9: a byte n below 128 is followed by n + 1 bytes, and one above by a byte that is repeated
/// 257 - n times.
fn packbits(mut packed: &[u8], length: usize) -> Decoded<Vec<u8>> {
    let mut bytes = zeros(length);
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        let [n, following @ ..] = packed else { return Err(INCOMPLETE.into()) };
        let (taken, run) = match n {
            0..=127 => (usize::from(*n) + 1, usize::from(*n) + 1),
            128 => (0, 0),
            129..=255 => (1, 257 - usize::from(*n)),
        };
        let (source, after) = following.split_at_checked(taken).ok_or(INCOMPLETE)?;
        let (target, left) = rest.split_at_mut(run.min(rest.len()));
        match source {
            [byte] if run > 1 => target.fill(*byte),
            _ => target.copy_from_slice(&source[..target.len()]),
        }
        (packed, rest) = (after, left);
    }
    Ok(bytes)
}

/// One bit a pixel, 1 where it is black.
fn fax(page: &Page, packed: &[u8], (columns, rows): (usize, usize), row: usize) -> Decoded<Vec<u8>> {
    let width = u32::try_from(columns).map_err(|e| e.to_string())?;
    let mut bytes = zeros::<u8>(row * rows);
    let mut lines = bytes.chunks_exact_mut(row);
    let mut missing = rows;
    let mut whole = true;
    // `changes` are the columns where the colour changes, beginning with white.
    let line = |changes: &[u32]| {
        let Some(line) = lines.next() else { return };
        missing -= 1;
        // The runs of group 3 fill the row.
        whole &= page.compression == FAX4 || changes.last() == Some(&width);
        for run in changes.chunks(2) {
            for x in run[0]..run.get(1).map_or(width, |&end| end.min(width)) {
                line[x as usize / 8] |= 0x80 >> (x % 8);
            }
        }
    };
    // The mark at the end may be missing, so only the rows tell whether all are there. The crate knows the end of a row
    // of group 3 by the mark of the next one, so one is added.
    let input = packed.iter().copied();
    match page.compression {
        FAX3 => decode_g3(input.chain([0, 1]), line),
        _ => decode_g4(input, width, u32::try_from(rows).ok(), line),
    };
    if missing > 0 || !whole { Err(INCOMPLETE.into()) } else { Ok(bytes) }
}
