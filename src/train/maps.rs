//! The feature maps of a batch.

use rayon::prelude::*;

use super::number::Number;

/// Pixels that a thread takes at a time. Sums of pieces are added in their order.
pub(super) const PIECE: usize = 4096;

/// Feature maps `[image, height, width, channel]`, channels innermost.
#[derive(Clone, Debug, Default)]
pub struct Maps<T> {
    pub images: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub data: Vec<T>,
}

impl<T: Number> Maps<T> {
    /// Maps of zeros.
    pub fn zeros([images, height, width, channels]: [usize; 4]) -> Self {
        Maps { images, height, width, channels, data: vec![T::default(); images * height * width * channels] }
    }

    /// Maps of zeros of the same size, with this many channels.
    pub fn like(&self, channels: usize) -> Self {
        Maps::zeros([self.images, self.height, self.width, channels])
    }

    /// Makes maps of values `[image, channel, height, width]`.
    pub fn from_planes(size: [usize; 4], planes: &[f32]) -> Self {
        let mut maps = Maps::zeros(size);
        let (pixels, channels) = (maps.height * maps.width, maps.channels);
        for (i, value) in maps.data.iter_mut().enumerate() {
            let (pixel, channel) = (i / channels, i % channels);
            let plane = pixel / pixels * channels + channel;
            *value = T::round(planes[plane * pixels + pixel % pixels].into());
        }
        maps
    }

    /// Pixels of all images.
    pub fn pixels(&self) -> usize {
        self.images * self.height * self.width
    }

    /// Values in a row of an image.
    pub fn row_length(&self) -> usize {
        self.width * self.channels
    }

    /// Adds other maps of the same shape.
    pub fn add(&mut self, other: &Maps<T>) {
        self.change(other, |a, b| a.iter_mut().zip(b).for_each(|(a, b)| *a += *b));
    }

    /// Calls `f` with each pixel and that of other maps of the same shape.
    pub fn change(&mut self, other: &Maps<T>, f: impl Fn(&mut [T], &[T]) + Sync) {
        let (length, channels) = (PIECE * self.channels, self.channels);
        let pieces = self.data.par_chunks_mut(length).zip(other.data.par_chunks(length));
        pieces.for_each(|(a, b)| {
            a.chunks_exact_mut(channels).zip(b.chunks_exact(channels)).for_each(|(a, b)| f(a, b));
        });
    }

    /// For each channel, the sum over all pixels of what `of` makes of the channel's number and of the value.
    pub fn sums(&self, of: impl Fn(usize, f64) -> f64 + Sync) -> Vec<f64> {
        self.total(|_, piece, sums| {
            for pixel in piece.chunks_exact(self.channels) {
                let values = sums.iter_mut().zip(pixel).enumerate();
                values.for_each(|(channel, (sum, v))| *sum += of(channel, (*v).into()));
            }
        })
    }

    /// For each channel, the sum over all pixels of the values times those of `other` less `mean`.
    pub fn products(&self, other: &Maps<T>, mean: &[f64]) -> Vec<f64> {
        self.total(|first, piece, sums| {
            let other = &other.data[first..][..piece.len()];
            for (a, b) in piece.chunks_exact(self.channels).zip(other.chunks_exact(self.channels)) {
                for ((sum, mean), (a, b)) in sums.iter_mut().zip(mean).zip(a.iter().zip(b)) {
                    *sum += (*a).into() * ((*b).into() - mean);
                }
            }
        })
    }

    /// The sums of channels to which `add` adds those of a piece; the first number is where the piece begins.
    fn total(&self, add: impl Fn(usize, &[T], &mut [f64]) + Sync) -> Vec<f64> {
        let length = PIECE * self.channels;
        let pieces = self.data.par_chunks(length).enumerate().map(|(i, piece)| {
            let mut sums = vec![0.0f64; self.channels];
            add(i * length, piece, &mut sums);
            sums
        });
        let mut total = vec![0.0f64; self.channels];
        for sums in pieces.collect::<Vec<_>>() {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        total
    }
}
