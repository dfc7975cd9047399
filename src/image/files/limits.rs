//! Limits on the sizes that the header of a file may declare.

use super::samples::Decoded;

/// The largest number of samples of one picture: 2^31, such as 46 340 by 46 340 pixels with one channel.
const MAX_SAMPLES: u64 = 1 << 31;

/// Any file may unpack to this many bytes. Beyond that, a file may unpack to [`RATIO`] times its own length.
const ALWAYS: u64 = 256 << 20;

/// Larger than the best compression: Deflate reaches 1032 to 1, LZW and PackBits less.
const RATIO: u64 = 2048;

/// The number of samples of a picture. An error if there are none, or more than [`MAX_SAMPLES`].
pub(super) fn samples(height: u64, width: u64, channels: u64) -> Decoded<usize> {
    let samples = height.checked_mul(width).and_then(|n| n.checked_mul(channels));
    match samples {
        Some(0) => Err(format!("no pixels ({height} by {width}, {channels} channels)")),
        Some(n) if n <= MAX_SAMPLES => usize::try_from(n).map_err(|e| e.to_string()),
        _ => Err(format!("{height} by {width} pixels with {channels} channels are more than can be read")),
    }
}

/// Refuses a header that declares far more `bytes` of pixels than a file of `length` bytes can hold.
pub(super) fn check(bytes: u64, length: usize) -> Decoded<()> {
    if bytes > ALWAYS.max(RATIO.saturating_mul(length as u64)) {
        return Err(format!("the header promises {bytes} bytes of pixels, the file has {length} bytes"));
    }
    Ok(())
}

/// Allocates `n` zeros. Without enough memory this is an error, where `vec!` would end the program.
pub(super) fn zeros<T: Clone + Default>(n: usize) -> Decoded<Vec<T>> {
    // This only tests the allocation and frees it. `vec!` gets zeros from the system, which cost nothing until used.
    Vec::<T>::new().try_reserve_exact(n).map_err(|_| format!("not enough memory for {n} samples"))?;
    Ok(vec![T::default(); n])
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
        assert!(check(256 << 20, 8).is_ok());
        assert!(check((256 << 20) + 1, 8).is_err());
        assert!(check(1 << 30, 1 << 20).is_ok());
    }
}
