//! The pages of a file become planes with channels.

use bytemuck::Zeroable;
use ndarray::{Array3, ArrayD, ArrayViewD, IxDyn, s};

use super::limits;
use super::samples::{Decoded, from_samples};
use crate::image::pixel::each;
use crate::image::{Axis, Image, Layout, Pixel, Pixels, Stack};
use crate::memory::zeros;

/// The number of pages that fill the axes; `None` if it overflows.
pub(super) fn count(axes: &[Axis]) -> Option<usize> {
    axes.iter().try_fold(1_usize, |n, axis| n.checked_mul(axis.length))
}

/// Arranges pages as planes: sorted by time, then by other axes in the order of `axes`, then by z. The pages along `C`
/// become the channels of a plane. In `pages`, the first of `axes` runs slowest.
pub(super) fn arrange(pages: Vec<Pixels>, axes: &[Axis]) -> Decoded<Stack> {
    if count(axes) != Some(pages.len()) || pages.is_empty() {
        let lengths: Vec<_> = axes.iter().map(|axis| axis.length).collect();
        return Err(format!("{} pages do not fill axes of the lengths {lengths:?}", pages.len()));
    }
    // Those of length 1 change no order. The others are at most as many as a number has bits.
    let mut axes: Vec<Axis> = axes.iter().copied().filter(|axis| axis.length > 1).collect();
    let mut pages: Vec<_> = pages.into_iter().enumerate().map(|(i, page)| (place(i, &axes), page)).collect();
    pages.sort_by(|a, b| a.0.cmp(&b.0));
    let channels = axes.iter().filter(|axis| axis.letter == 'C').map(|axis| axis.length).product();
    let mut pages = pages.into_iter().map(|(_, page)| page);
    let mut planes = Vec::new();
    loop {
        let plane: Vec<_> = pages.by_ref().take(channels).collect();
        if plane.is_empty() {
            break;
        }
        planes.push(Image::new(merge(plane)?).map_err(|e| e.to_string())?);
    }
    axes.retain(|axis| axis.letter != 'C');
    axes.sort_by_key(|axis| rank(axis.letter));
    Ok(Stack { layout: Layout { axes, ..Layout::default() }, ..Stack::new(planes) })
}

/// Where an axis stands in the order of planes and of their values.
pub(super) fn rank(letter: char) -> usize {
    match letter {
        'T' => 0,
        'Z' => 2,
        'Y' => 3,
        'X' => 4,
        'C' => 5,
        'S' => 6,
        _ => 1,
    }
}

/// The key by which page `index` is sorted: its indices along time, other axes, z and channels.
pub(super) fn place(mut index: usize, axes: &[Axis]) -> Vec<usize> {
    let mut key = vec![(0, 0, 0); axes.len()];
    for (slot, axis) in axes.iter().enumerate().rev() {
        key[slot] = (rank(axis.letter), slot, index % axis.length);
        index /= axis.length;
    }
    key.sort_unstable();
    key.into_iter().map(|(_, _, index)| index).collect()
}

/// Joins the channels of all pages.
fn merge(mut pages: Vec<Pixels>) -> Decoded<Pixels> {
    if pages.len() == 1 {
        return Ok(pages.remove(0));
    }
    each!(pages[0].kind(), T => concatenate::<T>(pages))
}

fn concatenate<T: Pixel + Zeroable>(pages: Vec<Pixels>) -> Decoded<Pixels> {
    let pages = same::<T>(pages)?;
    let (height, width, each) = pages[0].dim();
    let channels = each * pages.len();
    let n = limits::samples(height as u64, width as u64, channels as u64)?;
    let mut all = from_samples(height, width, channels, zeros(n))?;
    for (i, page) in pages.iter().enumerate() {
        all.slice_mut(s![.., .., i * each..(i + 1) * each]).assign(page);
    }
    Ok(T::wrap(all))
}

fn same<T: Pixel>(pages: Vec<Pixels>) -> Decoded<Vec<Array3<T>>> {
    let pages: Option<Vec<Array3<T>>> = pages.into_iter().map(T::array).collect();
    let pages = pages.filter(|pages| pages.iter().all(|page| page.dim() == pages[0].dim()));
    pages.ok_or_else(|| "pages of different sizes or types".into())
}

/// Arranges pages whose own rows or columns are not those of the pictures: for example pages of 240 rows and 2 columns
/// that each are a row of a picture with 2 channels. `lengths` are those of the axes over which the pages run;
/// `letters` are of these axes and then of the rows, columns and samples of a page.
pub(super) fn rearrange(pages: Vec<Pixels>, lengths: &[usize], letters: &[char]) -> Decoded<Stack> {
    fn join<T: Pixel + Zeroable>(pages: Vec<Pixels>, lengths: &[usize], letters: &[char]) -> Decoded<Stack> {
        let pages = same::<T>(pages)?;
        let (height, width, samples) = pages[0].dim();
        let each = height * width * samples;
        let total = each.checked_mul(pages.len()).ok_or("the pages are larger than memory")?;
        let mut all = zeros::<T>(total);
        for (page, place) in pages.iter().zip(all.chunks_exact_mut(each)) {
            page.iter().zip(place).for_each(|(value, place)| *place = *value);
        }
        let shape = [lengths, &[height, width, samples]].concat();
        let array = ArrayD::from_shape_vec(IxDyn(&shape), all).map_err(|e| e.to_string())?;
        planes(array.view(), letters)
    }
    let Some(first) = pages.first() else { return Err("there are no pages".into()) };
    each!(first.kind(), T => join::<T>(pages, lengths, letters))
}

/// Takes the planes out of an array, sorted as by [`arrange`]. `letters` are of its axes, with `Y` and `X` once.
pub(super) fn planes<T: Pixel>(array: ArrayViewD<T>, letters: &[char]) -> Decoded<Stack> {
    let mut order: Vec<usize> = (0..letters.len()).collect();
    order.sort_by_key(|&axis| rank(letters[axis]));
    let (over, within) = order.split_at(order.partition_point(|&axis| rank(letters[axis]) < rank('Y')));
    let lengths = |axes: &[usize]| axes.iter().map(|&axis| array.shape()[axis]).collect::<Vec<_>>();
    let axes = over.iter().map(|&axis| Axis { letter: letters[axis], length: array.shape()[axis] });
    let axes: Vec<Axis> = axes.filter(|axis| axis.length != 1).collect();
    let (over, size) = (lengths(over), lengths(within));
    let (height, width, channels) = (size[0], size[1], size[2..].iter().product::<usize>());
    limits::samples(height as u64, width as u64, channels as u64)?;
    let total = over.iter().try_fold(1_usize, |n, &length| n.checked_mul(length)).unwrap_or(0);
    if total == 0 {
        return Err("the array has no values".into());
    }
    let array = array.permuted_axes(IxDyn(&order));
    let mut planes = Vec::new();
    for index in 0..total {
        let (mut plane, mut step) = (array.view(), total);
        for &length in &over {
            step /= length;
            plane = plane.index_axis_move(ndarray::Axis(0), index / step % length);
        }
        let plane = plane.to_shape((height, width, channels)).map_err(|e| e.to_string())?;
        planes.push(Image::from_channels(plane.view()).map_err(|e| e.to_string())?);
    }
    Ok(Stack { layout: Layout { axes, ..Layout::default() }, ..Stack::new(planes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(of: &[(char, usize)]) -> Vec<Axis> {
        of.iter().map(|&(letter, length)| Axis { letter, length }).collect()
    }

    fn page(value: u8) -> Pixels {
        Pixels::U8(Array3::from_elem((1, 1, 1), value))
    }

    fn of_plane(image: &Image) -> Vec<u8> {
        match image.pixels() {
            Pixels::U8(a) => a.iter().copied().collect(),
            other => panic!("{other:?}"),
        }
    }

    fn values(pages: u8, of: &[(char, usize)]) -> Vec<Vec<u8>> {
        let stack = arrange((0..pages).map(page).collect(), &axes(of)).unwrap();
        assert_eq!(stack.layout.planes(), Some(stack.planes.len()));
        stack.planes.iter().map(of_plane).collect()
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
    fn planes_of_an_array_are_those_of_its_pages() {
        // As above, in one array of pages of a row of three columns.
        for (letters, lengths) in
            [("TZC", [2, 3, 2]), ("ZCT", [3, 2, 2]), ("CTZ", [2, 2, 3]), ("PTZ", [2, 2, 3])]
        {
            let pages =
                || (0..12).map(|i| Pixels::U8(Array3::from_shape_fn((1, 3, 1), |at| i * 3 + at.1 as u8)));
            let of: Vec<_> = letters.chars().zip(lengths).collect();
            let one = arrange(pages().collect(), &axes(&of)).unwrap();
            let all: Vec<char> = format!("{letters}YXS").chars().collect();
            let other = rearrange(pages().collect(), &lengths, &all).unwrap();
            assert_eq!(one, other, "{letters}");
        }
    }

    #[test]
    fn pages_that_are_rows_become_one_picture() {
        // Two pages of 3 by 2: rows of a picture, 2 by 3, with two channels.
        let pages = (0..2).map(|y| {
            Pixels::U8(Array3::from_shape_fn((3, 2, 1), |(x, c, _)| 100 * y + 10 * x as u8 + c as u8))
        });
        let stack = rearrange(pages.collect(), &[2], &['Y', 'X', 'C', 'S']).unwrap();
        let image = &stack.planes[0];
        assert_eq!((stack.planes.len(), image.height(), image.width(), image.channels()), (1, 2, 3, 2));
        assert_eq!(of_plane(image), [0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121]);
    }

    #[test]
    fn pages_that_do_not_fit_are_refused() {
        assert!(arrange(vec![page(0)], &axes(&[('Z', 2)])).is_err());
        assert!(arrange(vec![], &axes(&[('Z', 0)])).is_err());
        let wide = Pixels::U8(Array3::zeros((1, 2, 1)));
        assert!(arrange(vec![page(0), wide.clone()], &axes(&[('C', 2)])).is_err());
        assert!(rearrange(vec![page(0), wide], &[2], &['Q', 'Y', 'X', 'S']).is_err());
        let deep = Pixels::U16(Array3::zeros((1, 1, 1)));
        assert!(arrange(vec![page(0), deep], &axes(&[('C', 2)])).is_err());
    }
}
