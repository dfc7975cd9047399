//! The planes of a volume go through the network: `tiles`, `network`, `blend`, an orientation at a time.

use std::ops::Range;

use super::{Size, voxels};
use crate::cpu::backend::Cpu;
use crate::cpu::batch::{Planes, run_planes};
use crate::cpu::input::Scratch;
use crate::memory::zeros;
use crate::plan::grid::Grid;
use crate::plan::volume::{MAPS, Orientation};
use crate::watch::Watch;
use crate::{Error, Options, Result};

/// A volume, `[depth, height, width, nchan]`, whose planes go through the network in one orientation.
struct View<'a> {
    values: &'a [f32],
    nchan: usize,
    strides: [usize; 3],
}

impl Planes for View<'_> {
    fn row(&self, plane: usize, y: usize, columns: Range<usize>, _: &mut Scratch, out: &mut [f32]) {
        let [planes, rows, step] = self.strides;
        let first = plane * planes + y * rows;
        for (x, out) in columns.zip(out.chunks_exact_mut(self.nchan)) {
            out.copy_from_slice(&self.values[(first + x * step) * self.nchan..][..self.nchan]);
        }
    }
}

/// The maps of a volume, `[4, depth, height, width]`, as sums of the outputs for the planes of an orientation.
pub struct Maps<'a> {
    sums: &'a mut [f32],
    size: Size,
    orientation: Orientation,
}

impl<'a> Maps<'a> {
    /// Sums to which outputs are added; `maps` without a length become zeros.
    pub fn new(maps: &'a mut Vec<f32>, size: Size, orientation: Orientation) -> Self {
        if maps.is_empty() {
            *maps = zeros(MAPS * voxels(size));
        }
        Maps { sums: maps, size, orientation }
    }

    /// Adds the outputs of the network for a plane, `[3, rows, columns]`, to the maps that they belong to.
    pub fn add_plane(&mut self, plane: usize, outputs: &[f32]) {
        let (_, (height, width)) = self.orientation.planes(self.size);
        let [planes, rows, columns] = self.orientation.strides(self.size);
        for (map, output) in self.orientation.maps().into_iter().zip(outputs.chunks_exact(height * width)) {
            let map = &mut self.sums[map * voxels(self.size)..];
            for (y, row) in output.chunks_exact(width).enumerate() {
                let sums = map[plane * planes + y * rows..].iter_mut().step_by(columns);
                sums.zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

/// Runs the planes of an orientation through the network: adds their outputs to `maps`, and writes their style vectors, one
/// behind the other, to `styles`.
pub(super) fn add_orientation(
    cpu: &Cpu,
    values: &[f32],
    maps: &mut Maps,
    styles: &mut Vec<f32>,
    options: &Options,
    watch: &Watch,
) -> Result<()> {
    let Maps { size, orientation, .. } = *maps;
    let (count, plane) = orientation.planes(size);
    let (unet, grid) = (cpu.unet_of(orientation), Grid::of(plane, options));
    let view = View { values, nchan: unet.nchan(), strides: orientation.strides(size) };
    styles.clear();
    let add = |plane: usize, outputs: Vec<f32>, style: Vec<f32>| {
        if style.iter().any(|value| !value.is_finite()) {
            return Err(Error::not_finite_output());
        }
        maps.add_plane(plane, &outputs);
        styles.extend(style);
        Ok(())
    };
    run_planes(unet, &view, count, &grid, Cpu::batch(options), &cpu.arena, watch, add)
}
