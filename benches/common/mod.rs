//! Images for the benchmarks.

use flowmask::Image;
use ndarray::Array2;

/// An image of close discs with the diameter that the nuclei model expects.
pub fn discs(side: usize) -> Image {
    let value = |(y, x): (usize, usize)| {
        let (dy, dx) = ((y % 22) as f32 - 10.5, (x % 22) as f32 - 10.5);
        let noise = (y * 7919 + x * 104_729) % 13;
        if dy * dy + dx * dx < 72.0 { 180 + noise as u8 } else { 10 + noise as u8 }
    };
    Image::from_gray(Array2::from_shape_fn((side, side), value).view()).unwrap()
}
