//! `flowmask segment`: images to label images, one after the other.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::anyhow;
use flowmask::cpu::conv::Kernel;
use flowmask::{Error, Model, Options, Segmenter, image, output};
use ndarray::Array2;

use super::args;
use super::inputs;
use super::outputs::Outputs;
use super::report::{Done, Report};

/// Everything that must be right before the first image, then the images.
pub fn run(args: &args::Segment) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let inputs = inputs::find_some(&args.inputs, args.input.img_filter.as_deref())?;
    let model = Model::named(&args.model.model)?;
    let mut builder = Segmenter::builder().model(model).threads(args.speed.threads);
    if let Some(name) = &args.speed.cpu_kernel {
        builder = builder.kernel(Kernel::named(name)?);
    }
    let segmenter = builder.build()?;
    let dir = args.output.dir.clone();
    if let Some(dir) = &dir {
        fs::create_dir_all(dir).map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
    }
    let (format, extension) = args.output.format.of_library();
    let outputs = Outputs::new(dir, extension, args.output.overlay, &inputs.images);
    let mut report = Report::new(&args.output, inputs.images.len() + inputs.failed.len());
    for (input, error) in inputs.failed {
        report.failed(&input, &error.into())?;
    }
    let mut run = Run { options, segmenter, format, outputs };
    for image in &inputs.images {
        report.begin(image);
        match run.image(image) {
            Ok(done) => report.done(image, &done)?,
            Err(error) if is_of_all_images(&error) => return Err(error),
            Err(error) => report.failed(image, &error)?,
        }
    }
    Ok(report.finish())
}

/// Whether every other image would fail in the same way: `--diameter auto` with a model that has no size
/// model, for example.
pub fn is_of_all_images(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Option { .. } | Error::Model { .. } | Error::Tensor { .. }))
}

/// What is the same for all images.
struct Run {
    options: Options,
    segmenter: Segmenter,
    format: output::Format,
    outputs: Outputs,
}

impl Run {
    /// Segments the planes of a file, each by itself, and writes the outputs.
    fn image(&mut self, input: &Path) -> anyhow::Result<Done> {
        let start = Instant::now();
        let planes = image::read(input)?.planes;
        let names = self.outputs.claim(input, planes.len())?;
        let (mut masks, mut cells, mut diameters): (Vec<Array2<u32>>, _, _) = (vec![], 0, 0.0);
        for plane in &planes {
            let found = self.segmenter.segment(plane, &self.options)?;
            cells += found.cells();
            diameters += found.diameter;
            masks.push(found.masks);
        }
        let views: Vec<_> = masks.iter().map(|plane| plane.view()).collect();
        output::save_labels(&names.masks, &views, self.format)?;
        for ((path, plane), masks) in names.overlays.iter().zip(&planes).zip(views) {
            output::save_overlay(path, plane, masks)?;
        }
        let (height, width) = planes.first().map_or((0, 0), |plane| (plane.height(), plane.width()));
        let diameter = diameters / planes.len().max(1) as f64;
        Ok(Done { names, cells, planes: planes.len(), height, width, diameter, time: start.elapsed() })
    }
}
