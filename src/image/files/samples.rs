//! What the readers of all formats share: samples in a row to arrays.

use ndarray::Array3;

/// What a reader returns: the reason of a failure, to which [`read`](super::read) adds the file's name.
pub(super) type Decoded<T> = std::result::Result<T, String>;

/// An array `[height, width, channels]` of samples in that order.
pub(super) fn from_samples<T>(
    height: usize,
    width: usize,
    channels: usize,
    samples: Vec<T>,
) -> Decoded<Array3<T>> {
    Array3::from_shape_vec((height, width, channels), samples).map_err(|e| e.to_string())
}

/// The first `kept` of `channels` samples a pixel.
pub(super) fn keep<T: Copy>(samples: Vec<T>, channels: usize, kept: usize) -> Vec<T> {
    if kept == channels {
        return samples;
    }
    samples.chunks_exact(channels).flat_map(|pixel| &pixel[..kept]).copied().collect()
}
