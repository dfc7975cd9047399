//! Turns the flags into options of the library.

use flowmask::cpu::conv::Isa;
use flowmask::image::ReadOptions;
use flowmask::{
    Builder, Compat, Device, Diameter, Model, Normalize, Options, Precision, Sampling, Segmenter, Stitching,
    output,
};

use super::args::{self, Wanted};
use super::messages;

impl args::Segment {
    /// The options, with every range checked.
    pub fn options(&self) -> flowmask::Result<Options> {
        let cells = &self.cells;
        let options = of_model(&self.input, &self.model, &self.speed)
            .flow_threshold(cells.flow_threshold.unwrap_or(Options::default().flow_threshold))
            .cellprob_threshold(cells.cellprob_threshold)
            .niter((cells.niter > 0).then_some(cells.niter))
            .min_size(usize::try_from(cells.min_size).unwrap_or(0))
            .max_size_fraction(cells.max_size_fraction)
            .resample(!cells.no_resample)
            .sampling(cells.sampling())
            .keep_parts(cells.keep_parts)
            .exclude_on_edges(cells.exclude_on_edges)
            .anisotropy(self.volumes.anisotropy.unwrap_or(1.0))
            .flow3d_smooth(self.volumes.flow3d_smooth.unwrap_or_default())
            .flow3d_threshold(cells.flow_threshold.filter(|_| self.volumes.do_3d).unwrap_or(0.0))
            .compat(args::Compat::of_library(cells.compat));
        options.check()?;
        Ok(options)
    }
}

impl Wanted {
    /// The options for these outputs: only what they take is computed.
    pub fn options(all: &[Wanted], options: Options) -> Options {
        options
            .flows(all.iter().any(|kind| kind.is_of_flows()))
            .compute_masks(all.iter().any(|kind| !kind.is_of_maps() || *kind == Wanted::Seg))
    }
}

impl args::Cells {
    /// How planes become volumes, if they do.
    pub fn stitching(&self, options: &Options) -> flowmask::Result<Option<Stitching>> {
        match self.stitch_threshold {
            0.0 => Ok(None),
            threshold => Stitching::new(threshold, options).map(Some),
        }
    }
}

impl args::Styles {
    /// The options, with every range checked.
    pub fn options(&self) -> flowmask::Result<Options> {
        let options = of_model(&self.input, &self.model, &self.speed);
        options.check()?;
        Ok(options)
    }
}

impl args::Restore {
    /// The options, with every range checked.
    pub fn options(&self) -> flowmask::Result<Options> {
        let options = of_network(&self.input, self.diameter, &self.tiles, &self.speed);
        let options = options.compat(args::Compat::of_library(self.compat));
        options.check()?;
        Ok(options)
    }
}

/// The options that the network's input and its run depend on.
fn of_model(input: &args::Input, model: &args::Model, speed: &args::Speed) -> Options {
    let diameter = model.rescale.map(Diameter::Scale).or(model.diameter);
    of_network(input, diameter, &model.tiles, speed).augment(model.augment)
}

fn of_network(
    input: &args::Input,
    diameter: Option<Diameter>,
    tiles: &args::Tiles,
    speed: &args::Speed,
) -> Options {
    let mut normalize = Normalize::default().enabled(!input.no_norm).invert(input.invert);
    if let Some([low, high]) = input.norm_percentile.as_deref() {
        normalize.percentile = [*low, *high];
    }
    Options::default()
        .diameter(diameter.unwrap_or_default())
        .channels([input.chan, input.chan2])
        .all_channels(input.all_channels)
        .normalize(input.steps.set(normalize))
        .batch_size(speed.batch_size)
        .memory(speed.memory)
        .tile_overlap(tiles.tile_overlap)
        .bsize(tiles.bsize)
}

impl args::Input {
    /// How the axes of the files are to be understood, checked as far as that can be without a file.
    pub fn read_options(&self) -> flowmask::Result<ReadOptions> {
        let options = ReadOptions::default()
            .axes(self.axes.clone())
            .channel_axis(self.channel_axis)
            .z_axis(self.z_axis)
            .series(self.series);
        options.check()?;
        Ok(options)
    }
}

impl args::Speed {
    /// A segmenter of the model on the devices that were asked for.
    pub fn segmenter(&self, model: Model) -> flowmask::Result<Segmenter> {
        self.builder()?.model(model).build()
    }

    /// The devices and threads that were asked for.
    pub fn builder(&self) -> flowmask::Result<Builder> {
        let precision = match self.precision {
            args::Precision::F16 => Precision::F16,
            args::Precision::F32 => Precision::F32,
        };
        let mut builder = Builder::default().threads(self.threads).precision(precision);
        builder = builder.compiling(|done, files| {
            if done == 0 {
                messages::notice(&format!(
                    "compiling {files} files of kernels for the GPU; they are kept for later runs"
                ));
            }
        });
        if let Some(name) = &self.cpu_isa {
            builder = builder.isa(Isa::named(name)?);
        }
        if let Some(name) = &self.kernels {
            builder = builder.kernels(name);
        }
        Ok(builder.devices(Device::list(&self.device)?))
    }
}

impl args::Cells {
    fn sampling(&self) -> Sampling {
        match self.sampling {
            _ if self.no_interp => Sampling::Nearest,
            args::Sampling::Bilinear => Sampling::Bilinear,
            args::Sampling::GridSample => Sampling::GridSample,
        }
    }
}

impl args::Compat {
    /// The value of the library.
    pub fn of_library(compat: Option<Self>) -> Compat {
        match compat {
            None => Compat::None,
            Some(args::Compat::V3_1_1) => Compat::V3_1_1,
        }
    }
}

impl args::StackFormat {
    pub fn of_library(self) -> output::Format {
        match self {
            args::StackFormat::Tif => output::Format::Tif,
            args::StackFormat::Npy => output::Format::Npy,
        }
    }
}

impl args::Labels {
    /// How the files are read.
    pub fn read_options(&self) -> flowmask::Result<ReadOptions> {
        let read = ReadOptions::default().axes(self.axes.clone()).z_axis(self.z_axis).memory(self.memory);
        read.check()?;
        Ok(read)
    }
}

impl args::Format {
    /// The format in the library, and the extension of its files.
    pub fn of_library(self) -> (output::Format, &'static str) {
        match self {
            args::Format::Tif => (output::Format::Tif, "tif"),
            args::Format::Png => (output::Format::Png, "png"),
            args::Format::Npy => (output::Format::Npy, "npy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};

    fn options(flags: &str) -> flowmask::Result<Options> {
        let words = "flowmask segment a.png".split(' ').chain(flags.split_whitespace());
        match Cli::parse_from(words).command {
            Command::Segment(args) => args.options(),
            _ => unreachable!(),
        }
    }

    #[test]
    fn no_flags_are_the_defaults_of_the_library() {
        assert_eq!(options("").unwrap(), Options::default());
    }

    #[test]
    fn every_flag_sets_its_option() {
        let flags = "--diameter 40 --chan 2 --chan2 3 --invert --norm-percentile 2 98.5 --flow_threshold 0 \
                     --cellprob_threshold -1.5 --niter 300 --min_size -1 --no_resample \
                     --sampling grid-sample --keep_parts --exclude_on_edges --augment --batch_size 2 \
                     --tile_overlap 0.25 --bsize 256 --compat 3.1.1 --memory 2GB \
                     --anisotropy 2.5 --flow3D_smooth 1,2,2 --sharpen_radius 6 --smooth_radius 1.5 \
                     --tile_norm_blocksize 80 --tile_norm_smooth3D 2 --no_norm3D --max_size_fraction 0.3";
        let wanted = Options::default()
            .diameter(Diameter::Pixels(40.0))
            .channels([2, 3])
            .normalize(
                Normalize::default()
                    .enabled(true)
                    .percentile([2.0, 98.5])
                    .invert(true)
                    .sharpen_radius(6.0)
                    .smooth_radius(1.5)
                    .tile_norm_blocksize(80)
                    .tile_norm_smooth3d(2.0)
                    .norm3d(false),
            )
            .max_size_fraction(0.3)
            .flow_threshold(0.0)
            .cellprob_threshold(-1.5)
            .niter(Some(300))
            .min_size(0)
            .resample(false)
            .sampling(Sampling::GridSample)
            .keep_parts(true)
            .exclude_on_edges(true)
            .augment(true)
            .batch_size(Some(2))
            .anisotropy(2.5)
            .flow3d_smooth([1.0, 2.0, 2.0])
            .tile_overlap(0.25)
            .bsize(256)
            .compat(Compat::V3_1_1)
            .memory(Some(2_000_000_000));
        assert_eq!(options(flags).unwrap(), wanted);
        assert_eq!(options("--no-interp").unwrap().sampling, Sampling::Nearest);
        assert!(!options("--no-norm").unwrap().normalize.enabled);
        assert_eq!(options("--rescale 0.5").unwrap().diameter, Diameter::Scale(0.5));
        assert!(options("--all_channels").unwrap().all_channels);
        let lowhigh = options("--lowhigh=-3,40,5,60.5").unwrap().normalize.lowhigh;
        assert_eq!(lowhigh, Some([[-3.0, 40.0], [5.0, 60.5]]));
        assert_eq!(options("--diameter 0").unwrap().diameter, Diameter::Auto);
    }

    #[test]
    fn values_out_of_range_are_found_before_any_image() {
        for flags in [
            "--tile-overlap 0.9",
            "--bsize 100",
            "--flow-threshold nan",
            "--norm-percentile 9 3",
            "--lowhigh 5,5",
        ] {
            assert!(matches!(options(flags), Err(flowmask::Error::Option { .. })), "{flags}");
        }
    }
}
