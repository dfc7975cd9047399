//! The pages of a file become planes with channels.

use ndarray::{Array3, s};

use super::limits;
use super::samples::{Decoded, from_samples};
use crate::image::pixel::each;
use crate::image::{Image, Pixel, Pixels, Stack};

/// An axis over which the pages of a file run: its letter (`C` for channel, `Z` for depth, `T` for time, or any other
/// letter) and its length.
pub(super) type Axis = (char, usize);

/// The number of pages that fill the axes; `None` if it overflows.
pub(super) fn count(axes: &[Axis]) -> Option<usize> {
    axes.iter().try_fold(1_usize, |n, axis| n.checked_mul(axis.1))
}

/// Arranges pages as planes: sorted by time, then by other axes in the order of `axes`, then by z. The pages along `C`
/// become the channels of a plane. In `pages`, the first of `axes` runs slowest.
pub(super) fn arrange(pages: Vec<Pixels>, axes: &[Axis]) -> Decoded<Stack> {
    if count(axes) != Some(pages.len()) || pages.is_empty() {
        return Err(format!("{} pages do not fill the axes {axes:?}", pages.len()));
    }
    let mut pages: Vec<_> = pages.into_iter().enumerate().map(|(i, page)| (place(i, axes), page)).collect();
    pages.sort_by(|a, b| a.0.cmp(&b.0));
    let channels = axes.iter().filter(|axis| axis.0 == 'C').map(|axis| axis.1).product();
    let mut pages = pages.into_iter().map(|(_, page)| page);
    let mut planes = Vec::new();
    loop {
        let plane: Vec<_> = pages.by_ref().take(channels).collect();
        if plane.is_empty() {
            return Ok(Stack { planes });
        }
        planes.push(Image::new(merge(plane)?).map_err(|e| e.to_string())?);
    }
}

/// The key by which page `index` is sorted: its indices along time, other axes, z and channels.
pub(super) fn place(mut index: usize, axes: &[Axis]) -> Vec<usize> {
    let mut key = vec![(0, 0); axes.len()];
    for (slot, &(letter, length)) in axes.iter().enumerate().rev() {
        let rank = match letter {
            'T' => 0,
            'Z' => axes.len() + 1,
            'C' => axes.len() + 2,
            _ => slot + 1,
        };
        key[slot] = (rank, index % length);
        index /= length;
    }
    key.sort_by_key(|&(rank, _)| rank);
    key.into_iter().map(|(_, index)| index).collect()
}

/// Joins the channels of all pages.
fn merge(mut pages: Vec<Pixels>) -> Decoded<Pixels> {
    if pages.len() == 1 {
        return Ok(pages.remove(0));
    }
    each!(pages[0].kind(), T => concatenate::<T>(pages))
}

fn concatenate<T: Pixel + Default>(pages: Vec<Pixels>) -> Decoded<Pixels> {
    let pages: Option<Vec<Array3<T>>> = pages.into_iter().map(T::array).collect();
    let pages = pages.filter(|pages| pages.iter().all(|page| page.dim() == pages[0].dim()));
    let pages = pages.ok_or("pages of different sizes or types")?;
    let (height, width, each) = pages[0].dim();
    let channels = each * pages.len();
    let n = limits::samples(height as u64, width as u64, channels as u64)?;
    let mut all = from_samples(height, width, channels, limits::zeros(n)?)?;
    for (i, page) in pages.iter().enumerate() {
        all.slice_mut(s![.., .., i * each..(i + 1) * each]).assign(page);
    }
    Ok(T::wrap(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(value: u8) -> Pixels {
        Pixels::U8(Array3::from_elem((1, 1, 1), value))
    }

    fn values(pages: u8, axes: &[Axis]) -> Vec<Vec<u8>> {
        let stack = arrange((0..pages).map(page).collect(), axes).unwrap();
        let plane = |image: &Image| match image.pixels() {
            Pixels::U8(a) => a.iter().copied().collect(),
            other => panic!("{other:?}"),
        };
        stack.planes.iter().map(plane).collect()
    }

    #[test]
    fn planes_are_time_before_z_whatever_the_order_of_the_file() {
        // The page at (t, z, c) is number 4t + 2z + c in the first order, 4z + 2c + t in the second, 4c + 2t + z in the
        // third.
        let tzc = [[0, 1], [2, 3], [4, 5], [6, 7]];
        assert_eq!(values(8, &[('T', 2), ('Z', 2), ('C', 2)]), tzc);
        let zct = [[0, 2], [4, 6], [1, 3], [5, 7]];
        assert_eq!(values(8, &[('Z', 2), ('C', 2), ('T', 2)]), zct);
        let ctz = [[0, 4], [1, 5], [2, 6], [3, 7]];
        assert_eq!(values(8, &[('C', 2), ('T', 2), ('Z', 2)]), ctz);
        assert_eq!(values(3, &[('Q', 3)]), [[0], [1], [2]]);
        assert_eq!(values(1, &[]), [[0]]);
    }

    #[test]
    fn pages_that_do_not_fit_are_refused() {
        assert!(arrange(vec![page(0)], &[('Z', 2)]).is_err());
        assert!(arrange(vec![], &[('Z', 0)]).is_err());
        let wide = Pixels::U8(Array3::zeros((1, 2, 1)));
        assert!(arrange(vec![page(0), wide], &[('C', 2)]).is_err());
        let deep = Pixels::U16(Array3::zeros((1, 1, 1)));
        assert!(arrange(vec![page(0), deep], &[('C', 2)]).is_err());
    }
}
