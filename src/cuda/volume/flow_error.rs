//! The flow check of volumes: masks whose flows differ from the network's flows are dropped.
//!
//! Labels and `max_label` are as in [`components`](super::components).

use super::super::flow_error::{self as images, drop_above, flows_of_planes};
use super::super::kernels::volume_flow_error::{self as kernels, Planes};
use super::super::renumber::{self, renumber};
use super::super::scan::blocks;
use super::super::{Buffer, Gpu};
use super::components::{Boxes, bounds};
use super::{Size, resize, stacked, voxels};
use crate::Result;
use crate::plan::volume::on_gpu::{LABELS_TOGETHER, PLANES_TOGETHER};
use crate::plan::volume::{ORIENTATIONS, Orientation};

const BLOCK: (u32, u32, u32) = (256, 1, 1);
/// Threads of a block that computes the error of a label.
const ERROR_THREADS: u32 = 128;

/// Scratch memory of [`drop_bad_flows`]: 12 bytes for each voxel and 36 for each label, what the planes that are computed
/// together take in images, and in volumes that are stretched along z the labels and the network's flows once more.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The error of each label from 1 on; NaN for a number that no voxel has.
    pub errors: Buffer<f64>,
    /// The flows of the masks, `[3, depth, height, width]`.
    pub flows: Buffer<f32>,
    /// Memory of [`renumber()`]. Its `count` is the number of labels that are left.
    pub renumber: renumber::Scratch,
    /// The labels of the planes that are computed together, and the flows of their masks.
    sections: Buffer<u32>,
    own: Buffer<f32>,
    images: images::Scratch,
    boxes: Boxes,
    stretched: Buffer<u32>,
    network: Buffer<f32>,
}

/// Writes the flows of the masks to `scratch.flows`, `[3, depth, height, width]` (z, y, x), as
/// [`cpu::volume::flow_error`](crate::cpu::volume::flow_error::masks_to_flows) defines them.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn masks_to_flows(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: Size,
    max_label: u32,
    scratch: &mut Scratch,
) -> Result<()> {
    scratch.flows.zeros(gpu, 3 * voxels(size))?;
    if voxels(size) == 0 {
        return Ok(());
    }
    let together = (LABELS_TOGETHER / max_label.max(1) as usize).clamp(1, PLANES_TOGETHER);
    for orientation in ORIENTATIONS {
        let (count, _) = orientation.planes(size);
        for first in (0..count).step_by(together) {
            let planes = first..count.min(first + together);
            add_flows(gpu, labels, size, max_label, (orientation, planes), scratch)?;
        }
    }
    Ok(())
}

/// Adds the flows of the masks of some planes to the volume's.
fn add_flows(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: Size,
    max_label: u32,
    (orientation, planes): (Orientation, std::ops::Range<usize>),
    scratch: &mut Scratch,
) -> Result<()> {
    let (_, plane) = orientation.planes(size);
    let [along, down, across] = orientation.strides(size).map(|distance| distance as u32);
    let [first, height, width] = [planes.start, plane.0, plane.1].map(|number| number as u32);
    let cut = Planes { first, height, width, along, down, across };
    let pixels = planes.len() * plane.0 * plane.1;
    let (grid, n) = (blocks(pixels), pixels as u32);
    let sections = scratch.sections.resize(gpu, pixels)?;
    kernels::volume_flow_cut(gpu, grid, BLOCK, 0, labels.get(), sections, &cut, max_label, n)?;
    let (count, most) = (planes.len(), planes.len() as u32 * max_label);
    let (own, images) = (&mut scratch.own, &mut scratch.images);
    flows_of_planes(gpu, &scratch.sections, count, plane, most, own, images)?;
    let [rows, columns, _] = orientation.maps().map(|map| (map * voxels(size)) as u64);
    kernels::volume_flow_add(gpu, grid, BLOCK, 0, own.get(), scratch.flows.get_mut(), &cut, rows, columns, n)
}

/// Writes the error of each label from 1 to `max_label` to `scratch.errors`, as
/// [`cpu::volume::flow_error`](crate::cpu::volume::flow_error::flow_errors) defines it. `maps` begins with the network's
/// flows, `[3, depth, height, width]`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn flow_errors(
    gpu: &Gpu,
    labels: &Buffer<u32>,
    size: Size,
    max_label: u32,
    maps: &Buffer<f32>,
    scratch: &mut Scratch,
) -> Result<()> {
    masks_to_flows(gpu, labels, size, max_label, scratch)?;
    bounds(gpu, labels, size, max_label, &mut scratch.boxes)?;
    let (boxes, volumes) = (scratch.boxes.corners.get(), scratch.boxes.volumes.get());
    let (own, errors) = (scratch.flows.get(), scratch.errors.resize(gpu, max_label as usize)?);
    let [depth, height, width] = size.map(|length| length as u32);
    let many = (16 * gpu.multiprocessors()? as u32).clamp(1, max_label.max(1));
    let (grid, block) = ((many, 1, 1), (ERROR_THREADS, 1, 1));
    let labels = labels.get();
    kernels::volume_flow_errors(
        gpu,
        grid,
        block,
        8 * ERROR_THREADS,
        labels,
        depth,
        height,
        width,
        boxes,
        volumes,
        max_label,
        own,
        maps.get(),
        errors,
    )
}

/// Drops the labels whose error exceeds the threshold, and renumbers. Where planes are `anisotropy` times as far apart as
/// pixels, errors are those of the stretched masks and flows, as on the CPU.
///
/// The number of labels that are left is written to `scratch.renumber.count`.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn drop_bad_flows(
    gpu: &Gpu,
    labels: &mut Buffer<u32>,
    size: Size,
    max_label: u32,
    (maps, anisotropy, threshold): (&Buffer<f32>, f64, f64),
    scratch: &mut Scratch,
) -> Result<()> {
    let depth = ((size[0] as f64 * anisotropy) as usize).max(1);
    if depth == size[0] || voxels(size) == 0 {
        flow_errors(gpu, labels, size, max_label, maps, scratch)?;
    } else {
        let to = [depth, size[1], size[2]];
        let (mut network, mut stretched) = Default::default();
        std::mem::swap(&mut network, &mut scratch.network);
        std::mem::swap(&mut stretched, &mut scratch.stretched);
        resize::volumes(gpu, maps, size, to, 3, &mut network)?;
        resize::nearest(gpu, labels, size, to, &mut stretched)?;
        flow_errors(gpu, &stretched, to, max_label, &network, scratch)?;
        (scratch.network, scratch.stretched) = (network, stretched);
    }
    drop_above(gpu, labels, stacked(size), &scratch.errors, threshold)?;
    renumber(gpu, labels, voxels(size), max_label, &mut scratch.renumber)
}
