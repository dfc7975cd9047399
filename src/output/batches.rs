//! Outputs in many pieces, made on all threads.

use std::io;

use rayon::prelude::*;

/// So many pieces are in memory at once.
const PIECES: usize = 4096;

/// Encodes the items on all threads and hands over what became of each, in their order.
pub(super) fn in_order<T: Sync, P: Send>(
    items: &[T],
    encode: impl Fn(&T) -> io::Result<P> + Sync,
    mut write: impl FnMut(P) -> io::Result<()>,
) -> io::Result<()> {
    for batch in items.chunks(PIECES) {
        let pieces: Vec<P> = batch.par_iter().map(&encode).collect::<io::Result<_>>()?;
        pieces.into_iter().try_for_each(&mut write)?;
    }
    Ok(())
}
