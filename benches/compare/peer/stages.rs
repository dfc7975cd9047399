//! The stages around the network, each as a closure that measures itself: loading and copying of its inputs stay
//! outside the measure.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use flowmask::cpu::{blend, channels, cluster, components, flow_error, follow, normalize};
use flowmask::plan::grid::Grid;
use flowmask::{Compat, Image, Normalize, output};
use ndarray::Array2;
use serde_json::Value;

use crate::question::{Array, Result, Run, floats, label, labels, like, niter, one, shaped, size};

pub fn read(question: &Value) -> Result<Run> {
    let path = question["image"].as_str().context("image is not given")?.to_string();
    Ok(Box::new(move || {
        let begin = Instant::now();
        let image = Image::open(&path)?;
        let seconds = begin.elapsed();
        Ok((seconds, vec![("out".into(), Array::Float(image.pixels().to_f32().into_dyn()))]))
    }))
}

pub fn normalise(question: &Value) -> Result<Run> {
    let image = Image::open(question["image"].as_str().context("image is not given")?)?;
    let (height, width) = (image.height(), image.width());
    Ok(Box::new(move || {
        let begin = Instant::now();
        let mut pixels = channels::channels(&image, [0, 0], 2)?;
        normalize::normalize(&mut pixels, height, width, 2, &Normalize::default(), Compat::None);
        one(begin, shaped(&[height, width, 2], pixels))
    }))
}

pub fn average(question: &Value) -> Result<Run> {
    let tiles = floats(question, "tiles")?;
    let side = question["side"].as_u64().context("side is not given")? as usize;
    let grid = Grid::new(side, side, 224, 0.1, false);
    let (height, width) = size(&tiles);
    ensure!(tiles.shape()[0] == grid.tiles().len() && (height, width) == grid.tile, "tiles of another grid");
    let nout = tiles.shape()[1];
    Ok(Box::new(move || {
        let values = tiles.as_slice().context("tiles are not in C order")?;
        let begin = Instant::now();
        let mut blend = blend::Blend::new(&grid, nout);
        let values = values.chunks_exact(nout * height * width);
        grid.tiles().into_iter().zip(values).for_each(|(tile, values)| blend.add(tile, values));
        one(begin, shaped(&[nout, side, side], blend.finish().0))
    }))
}

pub fn follow_flows(question: &Value) -> Result<Run> {
    let (flows, cellprob) = (floats(question, "flows")?, floats(question, "cellprob")?);
    let (size, niter, (sampling, _)) = (size(&flows), niter(question), like(question)?);
    Ok(Box::new(move || {
        let (flows, cellprob) =
            (flows.as_slice().context("flows")?, cellprob.as_slice().context("cellprob")?);
        let begin = Instant::now();
        let points = follow::follow(flows, cellprob, size, 0.0, niter, sampling);
        let seconds = begin.elapsed();
        let ends: Vec<f32> =
            [0, 1].iter().flat_map(|&axis| points.ends.iter().map(move |end| end[axis])).collect();
        Ok((seconds, vec![("out".into(), shaped(&[2, points.ends.len()], ends)?)]))
    }))
}

pub fn cluster_points(question: &Value) -> Result<Run> {
    let (cellprob, ends) = (floats(question, "cellprob")?, floats(question, "ends")?);
    let size = size(&cellprob);
    let inside = cellprob.iter().enumerate().filter(|(_, p)| **p > 0.0);
    let pixels: Vec<u32> = inside.map(|(i, _)| i as u32).collect();
    ensure!(ends.shape() == [2, pixels.len()], "ends are [2, pixels with a cell probability above 0]");
    let ends = (0..pixels.len()).map(|i| [ends[[0, i]], ends[[1, i]]]).collect();
    let points = follow::Points { pixels, ends };
    Ok(Box::new(move || {
        let begin = Instant::now();
        let masks = cluster::cluster(&points, size, 0.4);
        one(begin, label(size, masks))
    }))
}

pub fn flow_check(question: &Value) -> Result<Run> {
    let (flows, masks) = (floats(question, "flows")?, labels(question, "masks")?);
    let size = size(&masks);
    Ok(Box::new(move || {
        let mut masks: Vec<u32> = masks.iter().copied().collect();
        let begin = Instant::now();
        flow_error::drop_bad_flows(&mut masks, size.1, flows.as_slice().context("flows")?, 0.4);
        one(begin, label(size, masks))
    }))
}

pub fn holes_and_sizes(question: &Value) -> Result<Run> {
    let masks = labels(question, "masks")?;
    let (size, (_, compat)) = (size(&masks), like(question)?);
    Ok(Box::new(move || {
        let mut masks: Vec<u32> = masks.iter().copied().collect();
        let begin = Instant::now();
        components::fill_holes_and_drop_small(&mut masks, size.1, 15, compat);
        one(begin, label(size, masks))
    }))
}

/// Follow, cluster, flow check, holes and sizes in one.
pub fn after_network(question: &Value) -> Result<Run> {
    let (flows, cellprob) = (floats(question, "flows")?, floats(question, "cellprob")?);
    let (size, niter, (sampling, compat)) = (size(&flows), niter(question), like(question)?);
    Ok(Box::new(move || {
        let (flows, cellprob) =
            (flows.as_slice().context("flows")?, cellprob.as_slice().context("cellprob")?);
        let begin = Instant::now();
        let points = follow::follow(flows, cellprob, size, 0.0, niter, sampling);
        let mut masks = cluster::cluster(&points, size, 0.4);
        flow_error::drop_bad_flows(&mut masks, size.1, flows, 0.4);
        components::fill_holes_and_drop_small(&mut masks, size.1, 15, compat);
        one(begin, label(size, masks))
    }))
}

pub fn write(question: &Value) -> Result<Run> {
    let masks: Array2<u32> = labels(question, "masks")?.into_dimensionality()?;
    let path = PathBuf::from(question["to"].as_str().context("to is not given")?);
    Ok(Box::new(move || {
        let begin = Instant::now();
        output::save_labels(&path, &[masks.view()], output::Format::Tif)?;
        Ok((begin.elapsed(), Vec::new()))
    }))
}
