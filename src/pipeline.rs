//! The straight line from an image to its masks.

use crate::cpu::batch::{Arena, run_tiles};
use crate::cpu::channels::channels;
use crate::cpu::cluster::cluster;
use crate::cpu::components::{diameter, drop_edges, fill_holes_and_drop_small};
use crate::cpu::flow_error::drop_bad_flows;
use crate::cpu::follow::follow;
use crate::cpu::network::Unet;
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

/// What runs images.
pub(crate) struct Engine {
    pub model: Model,
    pub unet: Unet,
    pub arena: Arena,
}

/// Pixels to masks.
pub(crate) fn segment(engine: &Engine, image: &Image, options: &Options) -> Result<Segmented> {
    let input = prepare(&engine.unet, image, options)?;
    let diameter = diameter_of(engine, &input, options)?;
    let scale = f64::from(engine.model.diam_mean()) / diameter;
    let output = run_network(engine, &input, scale, options);
    let masks = masks(&output, &input, scale, options);
    Ok(Segmented { output, masks, diameter })
}

/// Pixels to the style vector alone.
pub(crate) fn style(engine: &Engine, image: &Image, options: &Options) -> Result<Vec<f32>> {
    let input = prepare(&engine.unet, image, options)?;
    let scale = f64::from(engine.model.diam_mean()) / diameter_of(engine, &input, options)?;
    // The maps are not wanted at the image's scale.
    let options = Options { resample: false, ..options.clone() };
    Ok(run_network(engine, &input, scale, &options).style)
}

/// The diameter of the cells in pixels.
fn diameter_of(engine: &Engine, input: &Input, options: &Options) -> Result<f64> {
    match options.diameter {
        Diameter::Model => Ok(f64::from(engine.model.diam_mean())),
        Diameter::Pixels(pixels) => Ok(pixels),
        Diameter::Auto => estimate_diameter(engine, input, options),
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
fn run_network(engine: &Engine, input: &Input, scale: f64, options: &Options) -> Output {
    let Engine { unet, arena, .. } = engine;
    let image = (input.height, input.width);
    let small = match scale == 1.0 {
        true => image,
        false => (resize::scaled(image.0, scale), resize::scaled(image.1, scale)),
    };
    let resized = (small != image).then(|| resize::linear(&input.pixels, image, small, unet.nchan()));
    let pixels = resized.as_ref().unwrap_or(&input.pixels);
    let grid = Grid::new(small.0, small.1, options.bsize, options.tile_overlap, options.augment);
    let (mut maps, style) = run_tiles(unet, pixels, &grid, options.batch_size, arena);
    let size = if options.resample { image } else { small };
    if size != small {
        let planes = maps.chunks_exact(small.0 * small.1);
        maps = planes.flat_map(|plane| resize::linear(plane, small, size, 1)).collect();
    }
    let cellprob = maps.split_off(2 * size.0 * size.1);
    Output { size, flows: maps, cellprob, style }
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
fn estimate_diameter(engine: &Engine, input: &Input, options: &Options) -> Result<f64> {
    let model = &engine.model;
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
    let style = run_network(engine, input, scale, &options).style;
    let scale = size_model.diam_mean() / size_model.style_diameter(&style);
    let output = run_network(engine, input, scale, &options);
    let found = diameter(&masks(&output, input, scale, &options));
    Ok(if found > 0.0 { found } else { size_model.diam_mean() })
}
