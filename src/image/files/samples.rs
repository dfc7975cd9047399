//! Helpers that the readers of all formats share: from a list of samples to an array.

use ndarray::Array3;

use crate::memory::collected;

/// The result of a reader. Its error is a reason, to which [`read`](super::read) adds the name of the file.
pub(super) type Decoded<T> = std::result::Result<T, String>;

/// An array `[height, width, channels]` of samples in C order.
pub(super) fn from_samples<T>(
    height: usize,
    width: usize,
    channels: usize,
    samples: Vec<T>,
) -> Decoded<Array3<T>> {
    Array3::from_shape_vec((height, width, channels), samples).map_err(|e| e.to_string())
}

/// Keeps the first `kept` of the `channels` samples of each pixel.
pub(super) fn keep<T: Copy>(samples: Vec<T>, channels: usize, kept: usize) -> Vec<T> {
    if kept == channels {
        return samples;
    }
    let pixels = samples.chunks_exact(channels);
    collected(pixels.len() * kept, pixels.flat_map(|pixel| &pixel[..kept]).copied())
}
