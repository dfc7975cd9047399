//! What needs the model or the threads: the network, and whole images.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use flowmask::cpu::conv::Isa;
use flowmask::cpu::network::{State, Unet, forward};
use flowmask::{Device, Diameter, Image, Model, Options, Segmenter, output};
use ndarray::{Array2, IxDyn};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::question::{Array, Output, Result, Run, floats, like, one, paths, precision, shaped, size};
use crate::{stages, volumes};

/// The model and the threads.
pub struct Side {
    path: PathBuf,
    threads: usize,
    pool: rayon::ThreadPool,
    device: Device,
}

impl Side {
    pub fn new(path: PathBuf, threads: usize, device: Device) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Side { path, threads, pool, device })
    }

    pub fn about(&self) -> Value {
        let isa = Isa::best().name();
        json!({"version": env!("CARGO_PKG_VERSION"), "threads": self.pool.current_num_threads(),
               "device": self.device.to_string(), "isa": isa})
    }

    pub fn run(&self, run: &mut Run) -> Result<Output> {
        self.pool.install(run)
    }

    pub fn prepare(&self, question: &Value) -> Result<Run> {
        let stage = question["stage"].as_str().unwrap_or_default();
        let volume = question["in_3d"] == true;
        match stage {
            "segment" if volume => self.segment_volume(question),
            _ if volume => volumes::prepare(stage, question),
            "read" => stages::read(question),
            "normalize" => stages::normalise(question),
            "network" => match self.device {
                Device::Cpu => self.network(question),
                _ => self.network_on_gpu(question),
            },
            "average" => stages::average(question),
            "follow" => stages::follow_flows(question),
            "cluster" => stages::cluster_points(question),
            "flow check" => stages::flow_check(question),
            "holes, sizes" => stages::holes_and_sizes(question),
            "after network" => stages::after_network(question),
            "write" => stages::write(question),
            "segment" => self.segment(question),
            other => bail!("there is no stage {other}"),
        }
    }

    /// Batches as `segment` runs them: tiles shared out over the threads, each thread with maps of its own.
    fn network(&self, question: &Value) -> Result<Run> {
        let tiles = floats(question, "tiles")?;
        ensure!(tiles.ndim() == 4, "tiles are [n, channels, height, width]");
        let (count, (height, width)) = (tiles.shape()[0], size(&tiles));
        let inputs: Vec<Vec<f32>> = tiles
            .outer_iter()
            .map(|tile| tile.permuted_axes(IxDyn(&[1, 2, 0])).iter().copied().collect())
            .collect();
        let model = Model::open(&self.path)?;
        let unet = self.pool.install(|| Unet::new(model.network(), Isa::best()));
        let nout = unet.nout();
        let workers = count.min(self.pool.current_num_threads());
        let share = count.div_ceil(workers);
        let mut states: Vec<State> = (0..workers).map(|_| State::new(&unet, height, width)).collect();
        Ok(Box::new(move || {
            let mut values = vec![0.0; count * nout * height * width];
            let begin = Instant::now();
            inputs
                .par_chunks(share)
                .zip(values.par_chunks_mut(share * nout * height * width))
                .zip(&mut states)
                .for_each(|((inputs, values), state)| {
                    for (input, values) in inputs.iter().zip(values.chunks_exact_mut(nout * height * width)) {
                        state.set_input(input);
                        forward(&unet, state, values);
                    }
                });
            one(begin, shaped(&[count, nout, height, width], values))
        }))
    }

    #[cfg(feature = "cuda")]
    fn network_on_gpu(&self, question: &Value) -> Result<Run> {
        let Device::Cuda(ordinal) = self.device else { bail!("the device is no GPU") };
        crate::gpu::network(&Model::open(&self.path)?, ordinal, precision(question)?, question)
    }

    #[cfg(not(feature = "cuda"))]
    fn network_on_gpu(&self, _: &Value) -> Result<Run> {
        bail!("this program was built without GPUs")
    }

    fn segment(&self, question: &Value) -> Result<Run> {
        let paths = paths(question)?;
        let builder = Segmenter::builder().model(Model::open(&self.path)?).threads(self.threads);
        let segmenter = builder.devices([self.device]).precision(precision(question)?).build()?;
        let (sampling, compat) = like(question)?;
        let diameter = question["diameter"].as_f64().context("diameter is not given")?;
        let options =
            Options::default().diameter(Diameter::Pixels(diameter)).sampling(sampling).compat(compat);
        let folder = question["write"].as_str().map(PathBuf::from);
        let images: Vec<Image> = match folder {
            Some(_) => Vec::new(),
            None => paths.iter().map(Image::open).collect::<flowmask::Result<_>>()?,
        };
        Ok(Box::new(move || {
            let begin = Instant::now();
            let masks: Vec<Array2<u32>> = match &folder {
                Some(folder) => paths
                    .iter()
                    .map(|path| through(&segmenter, &options, path, folder))
                    .collect::<Result<_>>()?,
                None => all(&segmenter, &options, &images)?,
            };
            let seconds = begin.elapsed();
            let named =
                |(i, masks): (usize, Array2<u32>)| (format!("masks{i}"), Array::Label(masks.into_dyn()));
            Ok((seconds, masks.into_iter().enumerate().map(named).collect()))
        }))
    }

    /// A volume of grey values.
    fn segment_volume(&self, question: &Value) -> Result<Run> {
        let planes = volumes::planes(&floats(question, "volume")?)?;
        let segmenter = Segmenter::builder().model(Model::open(&self.path)?).threads(self.threads).build()?;
        let diameter = question["diameter"].as_f64().context("diameter is not given")?;
        let anisotropy = question["anisotropy"].as_f64().context("anisotropy is not given")?;
        let options = Options::default().diameter(Diameter::Pixels(diameter)).anisotropy(anisotropy);
        let options = options.compat(like(question)?.1);
        Ok(Box::new(move || {
            let begin = Instant::now();
            let masks = segmenter.segment_volume(&planes, &options)?.masks;
            one(begin, Ok(Array::Label(masks.into_dyn())))
        }))
    }
}

/// A list of images, of which a GPU gets the tiles of several together.
fn all(segmenter: &Segmenter, options: &Options, images: &[Image]) -> Result<Vec<Array2<u32>>> {
    if let [image] = images {
        return Ok(vec![segmenter.segment(image, options)?.masks]);
    }
    let masks: Vec<OnceLock<flowmask::Result<Array2<u32>>>> =
        images.iter().map(|_| OnceLock::new()).collect();
    let loads = images.iter().map(|image| || flowmask::Result::Ok(vec![image.clone()]));
    segmenter.segment_many(loads, options, |i, found| {
        let found = found.and_then(|(_, found)| {
            let first = found.into_iter().next();
            first.map(|found| found.masks).ok_or(flowmask::Error::Cancelled)
        });
        masks[i].get_or_init(|| found);
    })?;
    masks.into_iter().map(|masks| Ok(masks.into_inner().context("an image was left out")??)).collect()
}

/// From file to file.
fn through(segmenter: &Segmenter, options: &Options, path: &Path, folder: &Path) -> Result<Array2<u32>> {
    let masks = segmenter.segment(&Image::open(path)?, options)?.masks;
    let name = path.file_stem().context("an image without a name")?;
    output::save_labels(&folder.join(name).with_extension("tif"), &[masks.view()], output::Format::Tif)?;
    Ok(masks)
}
