//! The labels that a network is trained on.

use crate::cpu::flow_error::masks_to_flows;
use crate::{Error, Result};

/// The labels of an image, `[3, height, width]`: 1 for the pixels of cells and 0 for others, then flow along y and along
/// x, which are unit vectors, zero outside of cells. `cells` is `[height, width]`, 0 for the background (`labels_to_flows`
/// of the original).
///
/// # Errors
/// [`Error::Image`] when the width is 0, the pixels are not a whole number of rows, or a number is more than the number
/// of pixels, which says that cells are not numbered one by one.
pub fn flow_labels(cells: &[u32], width: usize) -> Result<Vec<f32>> {
    let whole = width > 0 && cells.len().is_multiple_of(width);
    if !whole || cells.iter().any(|&cell| cell as usize > cells.len()) {
        let reason =
            format!("cells in {} pixels of width {width} do not fit, or their numbers do not", cells.len());
        return Err(Error::Image(reason));
    }
    let mut labels: Vec<f32> = cells.iter().map(|&cell| f32::from(u8::from(cell > 0))).collect();
    labels.extend(masks_to_flows(cells, width));
    Ok(labels)
}
