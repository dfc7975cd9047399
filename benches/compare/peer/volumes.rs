//! The stages of volumes, `[depth, height, width]`, whole volumes, and stitching.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use flowmask::cpu::volume::{Size, cluster, components, follow};
use flowmask::{Compat, Image, Sampling, stitch};
use ndarray::{Array3, ArrayD, Axis, Ix3};
use serde_json::Value;

use crate::question::{Array, Output, Result, Run, floats, labels, like, niter, one, shaped};

/// The smallest mask, in voxels: the original's default.
const MIN_SIZE: usize = 15;

pub fn prepare(stage: &str, question: &Value) -> Result<Run> {
    match stage {
        "follow" => follow_flows(question),
        "cluster" => cluster_points(question),
        "holes, sizes" => holes_and_sizes(question),
        "after network" => after_network(question),
        "stitch" => stitched(question),
        other => bail!("there is no stage {other} of volumes"),
    }
}

/// (depth, height, width): the last three axes.
fn size<T>(array: &ArrayD<T>) -> Result<Size> {
    array.shape().last_chunk().copied().context("a volume has three axes")
}

/// The planes of a volume of grey values.
pub fn planes(volume: &ArrayD<f32>) -> Result<Vec<Image>> {
    let volume = volume.view().into_dimensionality::<Ix3>()?;
    Ok(volume.outer_iter().map(Image::from_gray).collect::<flowmask::Result<_>>()?)
}

fn label(begin: Instant, size: Size, values: Vec<u32>) -> Result<Output> {
    one(begin, Ok(Array::Label(Array3::from_shape_vec(size, values)?.into_dyn())))
}

/// Version 4 has mended the filter of small masks; both read the flows of volumes by `grid_sample`.
fn compat(question: &Value) -> Result<Compat> {
    Ok(like(question)?.1)
}

fn follow_flows(question: &Value) -> Result<Run> {
    let (flows, cellprob) = (floats(question, "flows")?, floats(question, "cellprob")?);
    let (size, niter) = (size(&cellprob)?, niter(question));
    Ok(Box::new(move || {
        let (flows, cellprob) =
            (flows.as_slice().context("flows")?, cellprob.as_slice().context("cellprob")?);
        let begin = Instant::now();
        let points = follow::follow(flows, cellprob, size, 0.0, niter, Sampling::GridSample);
        let seconds = begin.elapsed();
        let ends: Vec<f32> = (0..3).flat_map(|axis| points.ends.iter().map(move |end| end[axis])).collect();
        Ok((seconds, vec![("out".into(), shaped(&[3, points.ends.len()], ends)?)]))
    }))
}

fn cluster_points(question: &Value) -> Result<Run> {
    let (cellprob, ends) = (floats(question, "cellprob")?, floats(question, "ends")?);
    let size = size(&cellprob)?;
    let inside = cellprob.iter().enumerate().filter(|(_, p)| **p > 0.0);
    let voxels: Vec<u32> = inside.map(|(i, _)| i as u32).collect();
    ensure!(ends.shape() == [3, voxels.len()], "ends are [3, voxels with a cell probability above 0]");
    let ends = (0..voxels.len()).map(|i| [0, 1, 2].map(|axis| ends[[axis, i]])).collect();
    let points = follow::Points { voxels, ends };
    Ok(Box::new(move || {
        let begin = Instant::now();
        let masks = cluster::cluster(&points, size, 0.4);
        label(begin, size, masks)
    }))
}

fn holes_and_sizes(question: &Value) -> Result<Run> {
    let masks = labels(question, "masks")?;
    let (size, compat) = (size(&masks)?, compat(question)?);
    Ok(Box::new(move || {
        let mut masks: Vec<u32> = masks.iter().copied().collect();
        let begin = Instant::now();
        components::fill_holes_and_drop_small(&mut masks, size, MIN_SIZE, compat);
        label(begin, size, masks)
    }))
}

/// Follow, cluster, holes and sizes in one: the original does not check the flows of volumes.
fn after_network(question: &Value) -> Result<Run> {
    let (flows, cellprob) = (floats(question, "flows")?, floats(question, "cellprob")?);
    let (size, niter, compat) = (size(&cellprob)?, niter(question), compat(question)?);
    Ok(Box::new(move || {
        let (flows, cellprob) =
            (flows.as_slice().context("flows")?, cellprob.as_slice().context("cellprob")?);
        let begin = Instant::now();
        let points = follow::follow(flows, cellprob, size, 0.0, niter, Sampling::GridSample);
        let mut masks = cluster::cluster(&points, size, 0.4);
        components::fill_holes_and_drop_small(&mut masks, size, MIN_SIZE, compat);
        label(begin, size, masks)
    }))
}

/// Planes that are segmented already.
fn stitched(question: &Value) -> Result<Run> {
    let masks = labels(question, "masks")?;
    let (size, compat) = (size(&masks)?, compat(question)?);
    Ok(Box::new(move || {
        let mut masks = masks.clone();
        let begin = Instant::now();
        let mut planes: Vec<_> = masks
            .axis_iter_mut(Axis(0))
            .map(|plane| plane.into_dimensionality())
            .collect::<std::result::Result<_, _>>()?;
        stitch(&mut planes, 0.25, compat)?;
        label(begin, size, masks.iter().copied().collect())
    }))
}
