//! The straight line from the planes of a volume to its masks.

use std::ops::Range;
use std::time::Instant;

use rayon::prelude::*;

use super::components::{drop_edges, fill_holes_and_drop_small_while};
use super::flow_error::drop_bad_flows_while;
use super::{
    Size, cluster::cluster_while, follow::follow_while, parts, resize, smooth::smooth_while, voxels,
};
use crate::cpu::backend::Cpu;
use crate::cpu::batch::{Planes, run_planes};
use crate::cpu::channels::Channels;
use crate::cpu::input::Scratch;
use crate::cpu::normalize::{apply, levels_of_volume};
use crate::memory::{enough, zeros};
use crate::plan::grid::Grid;
use crate::plan::memory::Plan;
use crate::plan::volume::{MAPS, ORIENTATIONS, Orientation, Work, scaled_size, tiles};
use crate::volume::Found;
use crate::watch::Watch;
use crate::{Compat, Error, Image, Options, Result};

/// The part of a volume's time that the network takes, roughly: progress is reported by it.
const NETWORK: f64 = 0.9;
/// The stages after the network that report that they are done.
pub(crate) const STAGES: usize = 5;

/// Turns the planes of a volume, which are equally large, into masks. `scale` is what the volume is scaled by for the
/// network.
///
/// # Errors
/// [`Error::Image`], [`Error::Memory`], [`Error::Cancelled`].
pub(crate) fn segment(
    cpu: &Cpu,
    planes: &[&Image],
    scale: f64,
    options: &Options,
    watch: &Watch,
) -> Result<Found> {
    let start = Instant::now();
    let [height, width] = planes.first().map_or([0; 2], |plane| [plane.height(), plane.width()]);
    let image = [planes.len(), height, width];
    let small = scaled_size(image, scale, options.anisotropy);
    let describe = || {
        let [depth, height, width] = small;
        format!(
            "a volume of {} planes of {} by {} pixels, which the network gets as {depth} of {height} by {width},",
            image[0], image[1], image[2]
        )
    };
    check_memory(cpu, planes, image, small, options, describe)?;
    enough(describe, || {
        watch.part(0.0, NETWORK);
        let input = input(cpu, planes, image, small, options, watch)?;
        let (mut maps, style) = network(cpu, input, small, options, watch)?;
        watch.part(NETWORK, 1.0);
        watch.units(STAGES);
        let (size, masks) = stages_after_network(&mut maps, (image, small, scale), options, watch)?;
        watch.finish();
        let (mut flows, mut cellprob) = Default::default();
        if options.flows {
            flows = maps;
            cellprob = flows.split_off((MAPS - 1) * voxels(size));
        }
        Ok(Found { image, size, flows, cellprob, style, masks, time: start.elapsed() })
    })
}

fn check_memory(
    cpu: &Cpu,
    planes: &[&Image],
    image: Size,
    small: Size,
    options: &Options,
    what: impl FnOnce() -> String,
) -> Result<()> {
    let area = |(height, width): (usize, usize)| height * width;
    let tiles = ORIENTATIONS.map(|orientation| Grid::of(orientation.planes(small).1, options).tile);
    let tile = tiles.into_iter().max_by_key(|tile| area(*tile)).unwrap_or_default();
    let (network, nchan) = (cpu.network_of(tile), cpu.unet().nchan());
    let pixels = planes.iter().map(|plane| crate::plan::memory::pixels_of(plane)).sum();
    let (threads, batch) = (rayon::current_num_threads(), Cpu::batch(options));
    let plan = Plan::of_volume(&Work { image, small, nchan, pixels, threads, batch }, &network, options);
    plan.check(options, cpu.arena.bytes(), what)
}

/// `channels`, `normalize`, `resize`: the network's channels, `[depth, height, width, nchan]`, at the size `small`.
fn input(
    cpu: &Cpu,
    planes: &[&Image],
    image: Size,
    small: Size,
    options: &Options,
    watch: &Watch,
) -> Result<Vec<f32>> {
    let nchan = cpu.unet().nchan();
    let channels = planes.iter().map(|plane| Channels::of(plane, options.channels, nchan));
    let channels = channels.collect::<Result<Vec<_>>>()?;
    for (z, plane) in channels.iter().enumerate() {
        plane.check().map_err(|error| match error {
            Error::Image(reason) => Error::Image(format!("plane {z}: {reason}")),
            other => other,
        })?;
    }
    let [_, height, width] = image;
    let row = |z: usize, y: usize, out: &mut [f32]| channels[z].row(y, 0..width, out);
    let levels = match options.normalize.enabled {
        true => levels_of_volume(row, image, nchan, &options.normalize, options.compat),
        false => Vec::new(),
    };
    let mut values = zeros(voxels(image) * nchan);
    let go_on = &|| watch.go_on();
    let rows = values.par_chunks_exact_mut(width * nchan).enumerate();
    rows.filter(|_| go_on()).for_each(|(i, out)| {
        row(i / height, i % height, out);
        apply(&levels, out);
    });
    let input = resize::channels_while(values, image, small, nchan, go_on);
    watch.check()?;
    Ok(input)
}

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

/// `tiles`, `network`, `blend`: the maps, `[4, depth, height, width]`, which are the sums over the orientations, and the style
/// vectors of the planes of the last orientation, one behind the other.
fn network(
    cpu: &Cpu,
    input: Vec<f32>,
    size: Size,
    options: &Options,
    watch: &Watch,
) -> Result<(Vec<f32>, Vec<f32>)> {
    watch.units(tiles(size, options) as usize);
    let mut maps = zeros(MAPS * voxels(size));
    let mut styles = Vec::new();
    for orientation in ORIENTATIONS {
        let (count, plane) = orientation.planes(size);
        let (grid, strides) = (Grid::of(plane, options), orientation.strides(size));
        let view = View { values: &input, nchan: cpu.unet().nchan(), strides };
        styles.clear();
        let add = |plane: usize, outputs: Vec<f32>, style: Vec<f32>| {
            if style.iter().any(|value| !value.is_finite()) {
                return Err(Error::not_finite_output());
            }
            add_plane(&mut maps, size, orientation, plane, &outputs);
            styles.extend(style);
            Ok(())
        };
        let batch = Cpu::batch(options);
        run_planes(cpu.unet(), &view, count, &grid, batch, &cpu.arena, watch, add)?;
    }
    Ok((maps, styles))
}

/// Adds the outputs of the network for a plane, `[3, rows, columns]`, to the maps that they belong to.
fn add_plane(maps: &mut [f32], size: Size, orientation: Orientation, plane: usize, outputs: &[f32]) {
    let (_, (height, width)) = orientation.planes(size);
    let [planes, rows, columns] = orientation.strides(size);
    for (map, output) in orientation.maps().into_iter().zip(outputs.chunks_exact(height * width)) {
        let map = &mut maps[map * voxels(size)..];
        for (y, row) in output.chunks_exact(width).enumerate() {
            let sums = map[plane * planes + y * rows..].iter_mut().step_by(columns);
            sums.zip(row).for_each(|(sum, value)| *sum += value);
        }
    }
}

/// The stages after the network, in the order of the images' stages. Returns the masks, and the size of the maps at which
/// flows were followed. `maps` are `[4, depth, height, width]`; afterwards they have that size.
pub(crate) fn stages_after_network(
    maps: &mut Vec<f32>,
    (image, small, scale): (Size, Size, f64),
    options: &Options,
    watch: &Watch,
) -> Result<(Size, Vec<u32>)> {
    let go_on = &|| watch.go_on();
    let size = if options.resample { image } else { small };
    if size != small {
        *maps = resize::volumes_while(std::mem::take(maps), small, size, go_on);
    }
    let (flows, cellprob) = maps.split_at_mut((MAPS - 1) * voxels(size));
    smooth_while(flows, size, options.flow3d_smooth, go_on);
    watch.add(1)?;
    let niter = match (options.niter, options.resample) {
        (Some(niter), _) if niter > 0 => niter,
        (_, false) => 200,
        (_, true) => (1.0 / scale * 200.0) as u32,
    };
    let (threshold, sampling) = (options.cellprob_threshold, options.sampling);
    let points = follow_while(flows, cellprob, size, threshold, niter, sampling, go_on);
    watch.add(1)?;
    let mut labels = cluster_while(&points, size, options.max_size_fraction, go_on);
    drop(points);
    watch.add(1)?;
    if options.flow3d_threshold > 0.0 {
        // Maps that were not resized are stretched already.
        let anisotropy = if options.resample { options.anisotropy } else { 1.0 };
        drop_bad_flows_while(&mut labels, size, flows, anisotropy, options.flow3d_threshold, go_on);
        watch.check()?;
    }
    if size != image {
        labels = resize::nearest(&labels, size, image);
    }
    if !options.keep_parts && options.compat == Compat::None {
        parts::keep_largest_parts_while(&mut labels, image, go_on);
    }
    watch.add(1)?;
    fill_holes_and_drop_small_while(&mut labels, image, options.min_size, options.compat, go_on);
    watch.add(1)?;
    if options.exclude_on_edges {
        drop_edges(&mut labels, image);
    }
    Ok((size, labels))
}
