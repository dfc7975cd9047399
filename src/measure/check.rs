//! Whether labels and what is measured with them fit together.

use ndarray::ArrayView2;

use super::Inputs;
use crate::{Error, Image, Result};

/// The longest side, and the most pixels, for which all sums of coordinates are exact in 128 bits.
const MAX_SIDE: usize = 1 << 24;
const MAX_PIXELS: u128 = 1 << 39;

/// The number of planes, rows and columns, if all arrays agree.
pub fn size(planes: &[ArrayView2<u32>], inputs: &Inputs) -> Result<[usize; 3]> {
    let Some((height, width)) = planes.first().map(|plane| plane.dim()) else {
        return wrong("has no planes to measure cells in");
    };
    let size = [planes.len(), height, width];
    if planes.iter().any(|plane| plane.dim() != (height, width)) {
        return wrong("planes of different sizes cannot be measured");
    }
    let pixels: u128 = size.iter().map(|&side| side as u128).product();
    if size.iter().any(|&side| side > MAX_SIDE) || pixels > MAX_PIXELS {
        return wrong(format!("{} planes of {height} by {width} labels are too many to measure", size[0]));
    }
    same(size, "image", inputs.images.iter().map(Image::size))?;
    same(size, "cellprob", inputs.cellprob.iter().map(|plane| plane.dim()))?;
    let mut channels = inputs.images.iter().map(Image::channels);
    let first = channels.next();
    match channels.all(|channels| Some(channels) == first) {
        true => Ok(size),
        false => wrong("the planes of the image have different numbers of channels"),
    }
}

/// Compares with the planes of something else, if there are any.
fn same(
    [planes, height, width]: [usize; 3],
    what: &str,
    mut sizes: impl ExactSizeIterator<Item = (usize, usize)>,
) -> Result<()> {
    let count = sizes.len();
    if count != 0 && count != planes {
        return wrong(format!("the labels have {planes} planes, the {what} has {count}"));
    }
    match sizes.find(|&other| other != (height, width)) {
        Some((h, w)) => {
            wrong(format!("the labels have {height} by {width} pixels, the {what} has {h} by {w}"))
        }
        None => Ok(()),
    }
}

fn wrong<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::Image(reason.into()))
}
