//! Limits on the sizes that the header of a file may declare.

use bytemuck::Zeroable;
use bytemuck::allocation::try_zeroed_vec;

use super::samples::Decoded;

/// The largest number of samples of one picture: 2^31, such as 46 340 by 46 340 pixels with one channel.
const MAX_SAMPLES: u64 = 1 << 31;

/// The number of samples of a picture. An error if there are none, or more than [`MAX_SAMPLES`].
pub(super) fn samples(height: u64, width: u64, channels: u64) -> Decoded<usize> {
    let samples = height.checked_mul(width).and_then(|n| n.checked_mul(channels));
    match samples {
        Some(0) => Err(format!("no pixels ({height} by {width}, {channels} channels)")),
        Some(n) if n <= MAX_SAMPLES => usize::try_from(n).map_err(|e| e.to_string()),
        _ => Err(format!("{height} by {width} pixels with {channels} channels are more than can be read")),
    }
}

/// Refuses a header that declares more `bytes` of pixels than a file of `length` bytes can hold, by the `ratio` of its
/// compression, or than memory can.
pub(super) fn check(bytes: u64, length: usize, ratio: u64) -> Decoded<()> {
    if bytes > ratio.saturating_mul(length as u64) {
        return Err(format!("the header promises {bytes} bytes of pixels, the file has {length} bytes"));
    }
    fits(bytes)
}

/// Refuses this many bytes of pixels if there is not enough memory for them.
pub(super) fn fits(bytes: u64) -> Decoded<()> {
    // This only tests the allocation and frees it.
    let test = usize::try_from(bytes).ok().and_then(|n| Vec::<u8>::new().try_reserve_exact(n).ok());
    test.ok_or_else(|| format!("its pixels take {bytes} bytes, more than there is memory for"))
}

/// Allocates `n` zeros. Without enough memory this is an error, where `vec!` would end the program.
pub(super) fn zeros<T: Zeroable>(n: usize) -> Decoded<Vec<T>> {
    // Zeros from the system cost nothing until they are used.
    try_zeroed_vec(n).map_err(|()| format!("not enough memory for {n} samples"))
}

/// Collects `n` values. Without enough memory this is an error, where `collect` would end the program.
pub(super) fn collected<T>(n: usize, values: impl IntoIterator<Item = T>) -> Decoded<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(n).map_err(|_| format!("not enough memory for {n} samples"))?;
    all.extend(values.into_iter().take(n));
    Ok(all)
}

/// Copies bytes to memory of their own.
pub(super) fn copy(bytes: &[u8]) -> Decoded<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| format!("not enough memory for {} bytes", bytes.len()))?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(samples(3, 4, 5), Ok(60));
        assert!(samples(0, 4, 1).is_err());
        assert_eq!(samples(1 << 16, 1 << 15, 1), Ok(1 << 31));
        assert!(samples(1 << 16, 1 << 15, 2).is_err());
        assert!(samples(u64::MAX, u64::MAX, 3).is_err());
        assert!(check(8 * 1032, 8, 1032).is_ok());
        assert!(check(8 * 1032 + 1, 8, 1032).is_err());
        assert!(fits(1 << 20).is_ok());
        assert!(fits(u64::MAX).is_err());
        assert_eq!(collected(2, [7, 8]), Ok(vec![7, 8]));
        assert!(collected(usize::MAX, [1_u8]).is_err());
    }
}
