//! Limits on the sizes that the header of a file may declare.

use super::samples::Decoded;
use crate::memory::require;

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
/// compression. Unwinds when they are more than memory, or its limit `most`, can hold.
pub(super) fn check(bytes: u64, length: usize, ratio: u64, most: Option<u64>) -> Decoded<()> {
    if bytes > ratio.saturating_mul(length as u64) {
        return Err(format!("the header promises {bytes} bytes of pixels, the file has {length} bytes"));
    }
    require(bytes, most);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::enough;

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(samples(3, 4, 5), Ok(60));
        assert!(samples(0, 4, 1).is_err());
        assert_eq!(samples(1 << 16, 1 << 15, 1), Ok(1 << 31));
        assert!(samples(1 << 16, 1 << 15, 2).is_err());
        assert!(samples(u64::MAX, u64::MAX, 3).is_err());
        assert!(check(8 * 1032, 8, 1032, None).is_ok());
        assert!(check(8 * 1032 + 1, 8, 1032, None).is_err());
        let small = || Ok(check(8 * 1032, 8, 1032, Some(8 * 1032 - 1)));
        assert!(enough(String::new, small).is_err());
    }
}
