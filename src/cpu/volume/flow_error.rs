//! The flow check of volumes: masks whose flows differ from the network's flows are dropped. The original has none in 3D.

use rayon::prelude::*;

use super::resize::{nearest, volumes_while};
use super::{Size, voxels};
use crate::cpu::components::renumber;
use crate::cpu::flow_error;
use crate::memory::{copied, zeros};
use crate::plan::volume::{ORIENTATIONS, Orientation};
use crate::watch::GoOn;

/// Planes whose flows are in memory together.
const TOGETHER: usize = 16;

/// The flows of masks, `[3, depth, height, width]` (z, y, x): what the network would give for them. It sees each plane of
/// each orientation as an image, so they are the sums of the flows of these images' masks
/// ([`masks_to_flows`](flow_error::masks_to_flows)).
pub fn masks_to_flows(labels: &[u32], size: Size) -> Vec<f32> {
    masks_to_flows_while(labels, size, &|| true)
}

/// Like [`masks_to_flows`], without the flows of the rest of the planes when `go_on` is false.
fn masks_to_flows_while(labels: &[u32], size: Size, go_on: GoOn) -> Vec<f32> {
    let mut flows = zeros(3 * voxels(size));
    for orientation in ORIENTATIONS {
        let (count, _) = orientation.planes(size);
        for first in (0..count).step_by(TOGETHER).take_while(|_| go_on()) {
            let planes = (first..count.min(first + TOGETHER)).into_par_iter();
            let found: Vec<Vec<f32>> =
                planes.map(|plane| of_plane(labels, size, orientation, plane)).collect();
            for (plane, found) in (first..).zip(found) {
                add(&mut flows, size, orientation, plane, &found);
            }
        }
    }
    flows
}

/// The indices of the voxels of a plane, row by row.
fn places(size: Size, orientation: Orientation, plane: usize) -> impl Iterator<Item = usize> {
    let (_, (height, width)) = orientation.planes(size);
    let [planes, rows, columns] = orientation.strides(size);
    (0..height).flat_map(move |y| (0..width).map(move |x| plane * planes + y * rows + x * columns))
}

/// The flows of the masks of one plane, `[2, rows, columns]`.
fn of_plane(labels: &[u32], size: Size, orientation: Orientation, plane: usize) -> Vec<f32> {
    let (_, (_, width)) = orientation.planes(size);
    let mut own: Vec<u32> = places(size, orientation, plane).map(|i| labels[i]).collect();
    // A plane has few of the volume's labels.
    renumber(&mut own);
    flow_error::masks_to_flows(&own, width)
}

fn add(flows: &mut [f32], size: Size, orientation: Orientation, plane: usize, found: &[f32]) {
    let [along_y, along_x, _] = orientation.maps();
    let maps = [along_y, along_x].into_iter().zip(found.chunks_exact(found.len() / 2));
    for (map, found) in maps {
        let places = places(size, orientation, plane);
        places.zip(found).for_each(|(i, flow)| flows[map * voxels(size) + i] += flow);
    }
}

/// The error of each label from 1 to the largest; `NaN` for a number that no voxel has. It is the mean over the mask's
/// voxels of the squared difference between the mask's flow and a fifth of the network's, summed over the axes. `flows` are
/// the network's, `[3, depth, height, width]`.
pub fn flow_errors(labels: &[u32], size: Size, flows: &[f32]) -> Vec<f64> {
    errors_while(labels, size, flows, &|| true)
}

fn errors_while(labels: &[u32], size: Size, flows: &[f32], go_on: GoOn) -> Vec<f64> {
    let own = masks_to_flows_while(labels, size, go_on);
    let count = labels.iter().max().map_or(0, |&max| max as usize);
    let (mut sums, mut volumes) = (vec![0.0; count + 1], vec![0.0; count + 1]);
    for (i, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        let difference = |axis: usize| {
            let i = axis * labels.len() + i;
            f64::from(own[i] - flows[i] / 5.0)
        };
        sums[label as usize] += (0..3).map(|axis| difference(axis).powi(2)).sum::<f64>();
        volumes[label as usize] += 1.0;
    }
    // No voxel: 0 / 0.
    sums.iter().zip(volumes).skip(1).map(|(sum, volume)| sum / volume).collect()
}

/// Drops the labels whose error exceeds the threshold, and renumbers.
///
/// Where planes are `anisotropy` times as far apart as pixels, the network saw the volume stretched, so errors are those of
/// the stretched masks and flows.
pub fn drop_bad_flows(labels: &mut [u32], size: Size, flows: &[f32], anisotropy: f64, threshold: f64) {
    drop_bad_flows_while(labels, size, flows, anisotropy, threshold, &|| true);
}

/// Like [`drop_bad_flows`], and drops labels that mean nothing when `go_on` is false.
pub(crate) fn drop_bad_flows_while(
    labels: &mut [u32],
    size: Size,
    flows: &[f32],
    anisotropy: f64,
    threshold: f64,
    go_on: GoOn,
) {
    let depth = (size[0] as f64 * anisotropy) as usize;
    let stretched = [depth.max(1), size[1], size[2]];
    let errors = match stretched == size {
        true => errors_while(labels, size, flows, go_on),
        false => {
            let flows = volumes_while(copied(flows), size, stretched, go_on);
            errors_while(&nearest(labels, size, stretched), stretched, &flows, go_on)
        }
    };
    // A label that a shrunken volume has lost has no error.
    let bad = |label: u32| errors.get(label as usize - 1).is_some_and(|error| *error > threshold);
    labels.iter_mut().filter(|label| **label != 0 && bad(**label)).for_each(|label| *label = 0);
    renumber(labels);
}
