//! The straight line from an image to its masks.

use rayon::prelude::*;

use crate::cpu::blend::Blend;
use crate::cpu::channels::channels;
use crate::cpu::cluster::cluster;
use crate::cpu::components::{diameter, drop_edges, fill_holes_and_drop_small};
use crate::cpu::flow_error::drop_bad_flows;
use crate::cpu::follow::follow;
use crate::cpu::network::{State, Unet, forward, unit_length};
use crate::cpu::normalize::normalize;
use crate::cpu::resize;
use crate::cpu::tiles::Grid;
use crate::model::Model;
use crate::{Diameter, Error, Image, Options, Result, Sampling};

/// An image as the network wants it.
struct Input {
    height: usize,
    width: usize,
    /// `[height, width, nchan]`, normalised, at the image's scale.
    pixels: Vec<f32>,
}

/// What the network says of an image.
pub(crate) struct Output {
    /// (height, width) of the two maps.
    pub size: (usize, usize),
    /// `[2, height, width]`.
    pub flows: Vec<f32>,
    /// `[height, width]`.
    pub cellprob: Vec<f32>,
    pub style: Vec<f32>,
}

/// The result of the whole line.
pub(crate) struct Segmented {
    pub output: Output,
    /// `[height, width]` of the image.
    pub masks: Vec<u32>,
    pub diameter: f64,
}

/// Pixels to masks.
pub(crate) fn segment(model: &Model, unet: &Unet, image: &Image, options: &Options) -> Result<Segmented> {
    let input = prepare(unet, image, options)?;
    let diameter = diameter_of(model, unet, &input, options)?;
    let scale = f64::from(model.diam_mean()) / diameter;
    let output = run_network(unet, &input, scale, options);
    let masks = masks(&output, &input, scale, options);
    Ok(Segmented { output, masks, diameter })
}

/// Pixels to the style vector alone.
pub(crate) fn style(model: &Model, unet: &Unet, image: &Image, options: &Options) -> Result<Vec<f32>> {
    let input = prepare(unet, image, options)?;
    let scale = f64::from(model.diam_mean()) / diameter_of(model, unet, &input, options)?;
    // The maps are not wanted at the image's scale.
    let options = Options { resample: false, ..options.clone() };
    Ok(run_network(unet, &input, scale, &options).style)
}

/// The diameter of the cells in pixels.
fn diameter_of(model: &Model, unet: &Unet, input: &Input, options: &Options) -> Result<f64> {
    match options.diameter {
        Diameter::Model => Ok(f64::from(model.diam_mean())),
        Diameter::Pixels(pixels) => Ok(pixels),
        Diameter::Auto => estimate_diameter(model, unet, input, options),
    }
}

fn prepare(unet: &Unet, image: &Image, options: &Options) -> Result<Input> {
    let nchan = unet.nchan();
    let (height, width) = (image.height(), image.width());
    let mut pixels = channels(image, options.channels, nchan)?;
    if options.normalize.enabled {
        normalize(&mut pixels, height, width, nchan, &options.normalize);
    }
    Ok(Input { height, width, pixels })
}

/// Resize, tile, network, average, resize back.
fn run_network(unet: &Unet, input: &Input, scale: f64, options: &Options) -> Output {
    let image = (input.height, input.width);
    let small = match scale == 1.0 {
        true => image,
        false => (resize::scaled(image.0, scale), resize::scaled(image.1, scale)),
    };
    let resized = (small != image).then(|| resize::linear(&input.pixels, image, small, unet.nchan()));
    let pixels = resized.as_ref().unwrap_or(&input.pixels);
    let grid = Grid::new(small.0, small.1, options.bsize, options.tile_overlap, options.augment);
    let (mut maps, style) = run_tiles(unet, pixels, &grid, options.batch_size);
    let size = if options.resample { image } else { small };
    if size != small {
        let planes = maps.chunks_exact(small.0 * small.1);
        maps = planes.flat_map(|plane| resize::linear(plane, small, size, 1)).collect();
    }
    let cellprob = maps.split_off(2 * size.0 * size.1);
    Output { size, flows: maps, cellprob, style }
}

/// Runs batches of tiles, each worker with maps of its own, and adds them up in the order of the tiles.
fn run_tiles(unet: &Unet, pixels: &[f32], grid: &Grid, batch: usize) -> (Vec<f32>, Vec<f32>) {
    let tiles = grid.tiles();
    let (height, width) = grid.tile;
    let tile_values = unet.nout() * height * width;
    let batch = batch.min(tiles.len());
    let workers = batch.min(rayon::current_num_threads());
    let worker = |_| (State::new(unet, height, width), vec![0.0; unet.nchan() * height * width]);
    let mut states: Vec<(State, Vec<f32>)> = (0..workers).map(worker).collect();
    let mut values = vec![0.0; batch * tile_values];
    let mut styles = vec![vec![0.0; states[0].0.style.len()]; batch];
    let mut blend = Blend::new(grid, unet.nout());
    let mut style = styles[0].clone();
    let share = batch.div_ceil(workers);
    for tiles in tiles.chunks(batch) {
        let work = tiles.par_chunks(share).zip(values.par_chunks_mut(share * tile_values));
        work.zip(styles.par_chunks_mut(share)).zip(&mut states).for_each(
            |(((tiles, values), styles), (state, input))| {
                for ((&tile, values), style) in
                    tiles.iter().zip(values.chunks_exact_mut(tile_values)).zip(styles)
                {
                    grid.cut(pixels, unet.nchan(), tile, input);
                    state.set_input(input);
                    forward(unet, state, values);
                    style.copy_from_slice(&state.style);
                }
            },
        );
        for ((&tile, values), tile_style) in tiles.iter().zip(values.chunks_exact(tile_values)).zip(&styles) {
            blend.add(tile, values);
            style.iter_mut().zip(tile_style).for_each(|(sum, s)| *sum += s);
        }
    }
    unit_length(&mut style);
    (blend.finish(), style)
}

/// Follow, cluster, check, fill and drop, at the scale of the maps; then at the image's.
fn masks(output: &Output, input: &Input, scale: f64, options: &Options) -> Vec<u32> {
    let (size, image) = (output.size, (input.height, input.width));
    let niter = match (options.niter, options.resample) {
        (Some(niter), _) => niter,
        (None, false) => 200,
        (None, true) => (1.0 / scale * 200.0) as u32,
    };
    let Output { flows, cellprob, .. } = output;
    let points = follow(flows, cellprob, size, options.cellprob_threshold, niter, options.sampling);
    let mut labels = cluster(&points, size, options.max_size_fraction);
    if options.flow_threshold > 0.0 {
        drop_bad_flows(&mut labels, size.1, flows, options.flow_threshold);
    }
    if size != image {
        labels = resize::nearest(&labels, size, image);
    }
    fill_holes_and_drop_small(&mut labels, image.1, options.min_size, options.compat);
    if options.exclude_on_edges {
        drop_edges(&mut labels, image);
    }
    labels
}

/// `SizeModel.eval`: the style gives a first guess, the masks at that scale the answer. Thresholds and tiles
/// are the defaults in both passes, as in the original.
fn estimate_diameter(model: &Model, unet: &Unet, input: &Input, options: &Options) -> Result<f64> {
    let size_model = model.size_model().ok_or_else(|| {
        Error::model(
            model.name(),
            "has no size model, so it cannot estimate the diameter; give one in pixels",
        )
    })?;
    let (augment, batch_size, compat) = (options.augment, options.batch_size, options.compat);
    let options = Options {
        augment,
        batch_size,
        compat,
        resample: false,
        sampling: Sampling::Nearest,
        ..Options::default()
    };
    let scale = f64::from(model.diam_mean()) / f64::from(model.diam_labels());
    let style = run_network(unet, input, scale, &options).style;
    let scale = size_model.diam_mean() / size_model.style_diameter(&style);
    let output = run_network(unet, input, scale, &options);
    let found = diameter(&masks(&output, input, scale, &options));
    Ok(if found > 0.0 { found } else { size_model.diam_mean() })
}
