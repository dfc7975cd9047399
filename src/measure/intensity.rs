//! Intensities of the pixels of a cell.

use ndarray::{Array3, ArrayView2};

use super::runs::Run;
use super::sums::{ChannelSums, Sums};
use crate::image::{Pixels, pixel::each};
use crate::{Image, PixelType};

/// The intensities of one channel over the pixels of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intensity {
    pub sum: f64,
    pub mean: f64,
    pub min: f64,
    pub max: f64,
    /// The standard deviation, with the number of pixels as the divisor.
    pub std: f64,
}

/// The intensities of a cell in each channel of the planes of an image. `sums` has those of whole numbers.
pub fn intensities(cell: &[Run], sums: &Sums, planes: &[Image]) -> Vec<Intensity> {
    match are_integers(planes) {
        true => sums.channels.iter().map(|channel| channel.intensity(sums.pixels)).collect(),
        false => (0..channels(planes)).map(|channel| intensity(cell, planes, channel)).collect(),
    }
}

/// The sums of a cell in each channel of the planes of an image, if all of their pixels are whole numbers; else none.
pub fn integers(cell: &[Run], planes: &[Image]) -> Vec<ChannelSums> {
    let mut sums = vec![ChannelSums::NONE; integer_channels(planes)];
    for (channel, sums) in sums.iter_mut().enumerate() {
        for run in cell {
            match planes.get(run.z as usize).map(Image::pixels) {
                Some(Pixels::U8(array)) => {
                    of_run(array, run, channel).for_each(|value| sums.add(value.into()))
                }
                Some(Pixels::U16(array)) => of_run(array, run, channel).for_each(|value| sums.add(value)),
                _ => (),
            }
        }
    }
    sums
}

fn are_integers(planes: &[Image]) -> bool {
    planes.iter().all(|plane| plane.pixels().kind() != PixelType::F32)
}

fn channels(planes: &[Image]) -> usize {
    planes.first().map_or(0, Image::channels)
}

/// How many channels [`integers`] has sums of.
pub fn integer_channels(planes: &[Image]) -> usize {
    if are_integers(planes) { channels(planes) } else { 0 }
}

fn intensity(cell: &[Run], planes: &[Image], channel: usize) -> Intensity {
    let pixels = cell.iter().map(Run::pixels).sum::<u64>() as f64;
    let (mut sum, mut low, mut high) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
    for run in cell {
        // Each run has a sum of its own: that loses fewer digits than one sum over all pixels.
        let mut own = 0.0;
        each_pixel(run, planes, channel, |value| {
            own += value;
            low = low.min(value);
            high = high.max(value);
        });
        sum += own;
    }
    let (mean, mut squares) = (sum / pixels, 0.0);
    for run in cell {
        let mut own = 0.0;
        each_pixel(run, planes, channel, |value| own += (value - mean) * (value - mean));
        squares += own;
    }
    Intensity { sum, mean, min: low, max: high, std: (squares / pixels).sqrt() }
}

/// Calls `take` with the values of a run, from left to right.
fn each_pixel(run: &Run, planes: &[Image], channel: usize, mut take: impl FnMut(f64)) {
    let Some(plane) = planes.get(run.z as usize) else { return };
    each!(plane.pixels(), Pixels(array) => of_run(array, run, channel).for_each(|value| take(f64::from(value))));
}

fn of_run<'a, T: Copy>(array: &'a Array3<T>, run: &Run, channel: usize) -> impl Iterator<Item = T> + 'a {
    let (_, width, channels) = array.dim();
    let first = run.y as usize * width;
    // Images are in C order.
    let all = array.as_slice().unwrap_or_default();
    let pixels = &all[(first + run.start as usize) * channels..(first + run.end as usize) * channels];
    pixels.iter().skip(channel).step_by(channels).copied()
}

/// The mean of a map over a cell.
pub fn mean(cell: &[Run], planes: &[ArrayView2<f32>]) -> f64 {
    let pixels = cell.iter().map(Run::pixels).sum::<u64>() as f64;
    let of_run = |run: &Run| -> f64 {
        let row = planes[run.z as usize].row(run.y as usize);
        row.iter().skip(run.start as usize).take(run.pixels() as usize).map(|&value| f64::from(value)).sum()
    };
    cell.iter().map(of_run).sum::<f64>() / pixels
}

#[cfg(test)]
mod tests {
    use super::super::runs::tests::drawn;
    use super::*;
    use ndarray::{Array2, array};

    fn of(cell: &[Run], planes: &[Image]) -> Vec<Intensity> {
        intensities(cell, &Sums::of(cell, planes), planes)
    }

    /// The same numbers as pixels of single precision, whose sums are rounded.
    #[test]
    fn whole_numbers_are_summed_exactly() {
        let cell = drawn(&["##.", "..#"]);
        let pixels =
            Array3::from_shape_fn((2, 3, 2), |(y, x, c)| (65_535 - 7001 * c - 130 * y - 11 * x) as u16);
        let exact = of(&cell, &[Image::from_channels(pixels.view()).unwrap()]);
        let rounded = of(&cell, &[Image::from_channels(pixels.mapv(f32::from).view()).unwrap()]);
        for (a, b) in exact.iter().zip(&rounded) {
            assert_eq!((a.sum, a.min, a.max, a.mean), (b.sum, b.min, b.max, b.mean));
            assert!((a.std - b.std).abs() < 1e-10 * b.std, "{} {}", a.std, b.std);
        }
        assert_eq!(exact.len(), 2);
    }

    #[test]
    fn every_channel_has_its_numbers() {
        let cell = drawn(&["##.", "..#"]);
        let pixels = Array3::from_shape_fn((2, 3, 2), |(y, x, c)| (100 * c + 10 * y + x) as u16);
        let [one, two] = of(&cell, &[Image::from_channels(pixels.view()).unwrap()])[..] else { panic!() };
        // 0, 1 and 12.
        assert_eq!((one.sum, one.min, one.max), (13.0, 0.0, 12.0));
        assert_eq!(one.mean, 13.0 / 3.0);
        assert!((one.std - ((145.0 / 3.0) - (13.0_f64 / 3.0).powi(2)).sqrt()).abs() < 1e-12);
        assert_eq!((two.sum, two.min, two.max), (313.0, 100.0, 112.0));
        // The means are rounded differently.
        assert!((two.std - one.std).abs() < 1e-12);
        let map = Array2::from_shape_fn((2, 3), |(y, x)| y as f32 - x as f32);
        assert_eq!(mean(&cell, &[map.view()]), -2.0 / 3.0);
        // A map in another order of memory.
        let turned = array![[0.5_f32, 9.0], [1.5, 9.0], [9.0, 4.0]];
        assert_eq!(mean(&cell, &[turned.t()]), 2.0);
        assert!(of(&cell, &[]).is_empty());
    }
}
