//! What `--verbose` tells: how the command line and the images were understood.

use flowmask::cpu::conv::Isa;
use flowmask::plan::volume::{ORIENTATIONS, scaled_size};
use flowmask::plan::{grid::Grid, scale::scaled};
use flowmask::{Device, Image, Options, Result, Segmentation, Segmenter, VolumeSegmentation};

use super::args;
use super::messages::several;

/// The model and the devices of a run.
pub fn run(speed: &args::Speed, segmenter: &Segmenter) -> Result<Vec<String>> {
    let model = segmenter.model();
    let size = if model.size_model().is_some() { "with" } else { "without" };
    let about_model =
        format!("model {}: scales cells to {} pixels, {size} a size model", model.name(), model.diam_mean());
    let device = |device: &Device| match device {
        Device::Cpu => {
            let isa = speed.cpu_isa.as_deref().map_or_else(|| Ok(Isa::best()), Isa::named)?;
            Ok(format!("device cpu: {} threads, {}", segmenter.threads(), isa.name()))
        }
        gpu => {
            let kernels = speed.kernels.as_ref().map_or(String::new(), |name| format!(", kernels {name}"));
            Ok(format!("device {gpu}: {:?}{kernels}", speed.precision))
        }
    };
    let devices = Device::list(&speed.device)?;
    std::iter::once(Ok(about_model)).chain(devices.iter().map(device)).collect()
}

/// How an image was cut: its planes, the scale and the tiles.
pub fn image(planes: &[Image], found: &[Segmentation], diam_mean: f32, options: &Options) -> String {
    let scale = |found: &Segmentation| f64::from(diam_mean) / found.diameter;
    let tiles = |(plane, found): (&Image, &Segmentation)| {
        let (height, width) = (scaled(plane.height(), scale(found)), scaled(plane.width(), scale(found)));
        Grid::new(height, width, options.bsize, options.tile_overlap, options.augment).count()
    };
    let count: usize = planes.iter().zip(found).map(tiles).sum();
    let scales: Vec<f64> = found.iter().map(scale).collect();
    let least = scales.iter().copied().fold(f64::INFINITY, f64::min);
    let most = scales.iter().copied().fold(0.0, f64::max);
    let range = if least < most { format!("{least:.3} to {most:.3}") } else { format!("{most:.3}") };
    let first = planes.first();
    let size = first.map_or(String::new(), |first| {
        let channels = several(first.channels(), "channel");
        format!("{} by {} pixels, {channels}", first.height(), first.width())
    });
    format!("planes {}, each {size}; scale {range}; tiles {count}", planes.len())
}

/// How the volumes of an image were cut: their size, their size for the network, and the tiles of all orientations.
pub fn volumes<'a>(
    mut found: impl ExactSizeIterator<Item = &'a VolumeSegmentation>,
    diam_mean: f32,
    options: &Options,
) -> String {
    let count = several(found.len(), "volume");
    let Some(first) = found.next() else { return count };
    let (depth, height, width) = first.masks.dim();
    let scale = f64::from(diam_mean) / first.diameter;
    let small = scaled_size([depth, height, width], scale, options.anisotropy);
    let tiles = ORIENTATIONS.map(|orientation| {
        let (planes, (height, width)) = orientation.planes(small);
        planes * Grid::new(height, width, options.bsize, options.tile_overlap, options.augment).count()
    });
    let [z, y, x] = small;
    format!(
        "{count}, each of {depth} planes of {height} by {width} pixels; scale {scale:.3}; for the network {z} planes of {y} by \
         {x}; tiles {}",
        tiles.iter().sum::<usize>()
    )
}
