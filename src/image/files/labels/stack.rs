//! The planes of a label file, sorted by their axes.

use ndarray::{Array4, ArrayD, IxDyn};

use super::super::axes::rank;
use super::super::samples::Decoded;
use crate::image::{Axis, Layout, Note};
use crate::memory::require;

/// The labels of a file, and what the file says about their planes.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct LabelStack {
    /// `[volumes, planes, height, width]` with 0 for background. A volume has the planes along `Z`; where no axis is called so,
    /// all planes of a file are one, except that in an NPY file with four axes the first two are volumes and planes.
    pub labels: Array4<u32>,
    /// The axes over which the planes run, in the order of `labels`: time, then any other axis, then z. `Q` is one that nothing
    /// names, `C` one that the file calls channels.
    pub layout: Layout,
    /// What had to be left out.
    pub notes: Vec<Note>,
}

/// Sorts an array of labels by the letters of its axes, with `Y` and `X` once. `depth` planes are a volume if no axis is `Z`.
pub(in super::super) fn arrange(array: ArrayD<u32>, letters: &[char], depth: usize) -> Decoded<LabelStack> {
    // Channels are planes like any other here.
    let place = |axis: usize| rank(if "CS".contains(letters[axis]) { 'Q' } else { letters[axis] });
    let mut order: Vec<usize> = (0..letters.len()).collect();
    order.sort_by_key(|&axis| place(axis));
    let all = order.iter().map(|&axis| Axis { letter: letters[axis], length: array.shape()[axis] });
    let (axes, within): (Vec<Axis>, Vec<Axis>) = all.partition(|axis| !matches!(axis.letter, 'Y' | 'X'));
    let [height, width] = &within[..] else { return Err("has no rows and columns".into()) };
    let depth = axes.iter().find(|axis| axis.letter == 'Z').map_or(depth, |axis| axis.length);
    let volumes = axes.iter().map(|axis| axis.length).product::<usize>() / depth.max(1);
    let shape = (volumes, depth, height.length, width.length);
    let mut array = array.permuted_axes(IxDyn(&order));
    if !array.is_standard_layout() {
        require(4 * array.len() as u64, None);
        array = array.as_standard_layout().into_owned();
    }
    let axes = axes.into_iter().filter(|axis| axis.length != 1).collect();
    let labels = array.into_shape_with_order(shape).map_err(|e| e.to_string())?;
    Ok(LabelStack { labels, layout: Layout::default().axes(axes), notes: vec![] })
}
