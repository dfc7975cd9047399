//! Undoes what was done to numbers before they were packed: byte order and predictor (TIFF 6.0, section 14, and Adobe's
//! technical note 3).

use super::directory::Page;

/// Turns the rows of a chunk, `row` bytes each, into numbers in the byte order of this machine.
pub(super) fn undo(page: &Page, bytes: &mut [u8], row: usize) {
    if !page.bits.is_multiple_of(8) {
        return; // The bits of packed numbers stand in one order for all machines.
    }
    let depth = page.depth() as usize;
    let size = page.bits as usize / 8;
    if page.predictor == 3 {
        let mut planes = vec![0; row];
        bytes.chunks_exact_mut(row).for_each(|row| floating(row, &mut planes, depth, size));
        return;
    }
    if size > 1 && page.layout.big_endian != cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    if page.predictor == 2 {
        bytes.chunks_exact_mut(row).for_each(|row| match size {
            1 => sums(row, depth, |a, b| [u8::wrapping_add(a[0], b[0])]),
            2 => sums(row, depth, |a, b| {
                u16::from_ne_bytes(a).wrapping_add(u16::from_ne_bytes(b)).to_ne_bytes()
            }),
            4 => sums(row, depth, |a, b| {
                u32::from_ne_bytes(a).wrapping_add(u32::from_ne_bytes(b)).to_ne_bytes()
            }),
            _ => sums(row, depth, |a, b| {
                u64::from_ne_bytes(a).wrapping_add(u64::from_ne_bytes(b)).to_ne_bytes()
            }),
        });
    }
}

/// Each number is stored as its difference from the one `depth` places before it.
fn sums<const N: usize>(row: &mut [u8], depth: usize, add: impl Fn([u8; N], [u8; N]) -> [u8; N]) {
    let (numbers, _) = row.as_chunks_mut::<N>();
    for channel in 0..depth {
        let mut sum = [0; N];
        for number in numbers.iter_mut().skip(channel).step_by(depth) {
            sum = add(sum, *number);
            *number = sum;
        }
    }
}

/// A row holds first the highest bytes of all numbers, then the next ones, in which each byte is a difference.
fn floating(row: &mut [u8], planes: &mut [u8], depth: usize, size: usize) {
    sums(row, depth, |a, b| [u8::wrapping_add(a[0], b[0])]);
    planes.copy_from_slice(row);
    let n = row.len() / size;
    for (i, number) in row.chunks_exact_mut(size).enumerate() {
        for (plane, byte) in number.iter_mut().enumerate() {
            *byte = planes[plane * n + i];
        }
        if cfg!(target_endian = "little") {
            number.reverse();
        }
    }
}
