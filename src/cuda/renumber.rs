//! Numbers labels in the order of their first pixels (`fastremap.renumber`).

use super::fill::fill;
use super::kernels::renumber as kernels;
use super::scan::{self, blocks, scan};
use super::{Buffer, Gpu};
use crate::Result;

/// Scratch memory of [`renumber`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// One value: the number of labels that the last call found.
    pub count: Buffer<u32>,
    /// The index of the first pixel of each label.
    first: Buffer<u32>,
    /// For every 32 pixels, a bit for each that is the first one of its label.
    words: Buffer<u32>,
    /// For every 32 pixels, the number of these bits.
    counts: Buffer<u32>,
    /// For every 32 pixels, the number of these bits before them.
    sums: Buffer<u32>,
    scan: scan::Scratch,
}

/// Numbers the labels of `len` pixels, fewer than 2³², 1 to n in the order of their first pixels; 0 stays 0. No
/// label may exceed `max_label`. n is written to `scratch.count`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn renumber(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    len: usize,
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    fill(gpu, &mut scratch.first, u32::MAX, max_label as usize + 1)?;
    let (labels, first, len32, n) = (labels.get_mut(), scratch.first.get_mut(), len.div_ceil(32), len as u32);
    let (grid, block) = (blocks(len), (256, 1, 1));
    kernels::renumber_first(gpu, grid, block, 0, labels, first, n)?;
    let (words, counts) = (scratch.words.resize(gpu, len32)?, scratch.counts.resize(gpu, len32)?);
    kernels::renumber_flags(gpu, grid, block, 0, labels, first, words, counts, n)?;
    scan(gpu, &scratch.counts, len32, &mut scratch.sums, &mut scratch.scan)?;
    let (sums, count) = (scratch.sums.get(), scratch.count.resize(gpu, 1)?);
    kernels::renumber_labels(gpu, grid, block, 0, labels, first, words, sums, count, n)
}
