//! What a question asks for, and the arrays that go in and out.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use flowmask::{Compat, Precision, Sampling, npy};
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;

pub type Result<T> = anyhow::Result<T>;

/// A result to be written for the check of agreement.
pub enum Array {
    Float(ArrayD<f32>),
    Label(ArrayD<u32>),
}

impl Array {
    /// Writes the array beside the others of its run.
    pub fn save(&self, prefix: &str, name: &str) -> Result<()> {
        let path = format!("{prefix}_{name}.npy");
        let file = File::create(&path).map(BufWriter::new);
        let written = file.and_then(|file| match self {
            Array::Float(a) => npy::write(file, a.shape(), a.iter().copied()),
            Array::Label(a) => npy::write(file, a.shape(), a.iter().copied()),
        });
        written.context(path)
    }
}

pub type Output = (Duration, Vec<(String, Array)>);
pub type Run = Box<dyn FnMut() -> Result<Output> + Send>;

pub fn floats(question: &Value, name: &str) -> Result<ArrayD<f32>> {
    let path = question[name].as_str().with_context(|| format!("{name} is not given"))?;
    let array = npy::read::<f32>(path.as_ref())?;
    Ok(array.as_standard_layout().into_owned())
}

pub fn labels(question: &Value, name: &str) -> Result<ArrayD<u32>> {
    let path = question[name].as_str().with_context(|| format!("{name} is not given"))?;
    Ok(npy::read(path.as_ref())?)
}

pub fn paths(question: &Value) -> Result<Vec<PathBuf>> {
    let list = question["images"].as_array().context("images is not given")?;
    Ok(list.iter().filter_map(Value::as_str).map(PathBuf::from).collect())
}

/// (height, width): the last two axes.
pub fn size<T>(array: &ArrayD<T>) -> (usize, usize) {
    let shape = array.shape();
    (shape[shape.len() - 2], shape[shape.len() - 1])
}

pub fn shaped(shape: &[usize], values: Vec<f32>) -> Result<Array> {
    Ok(Array::Float(ArrayD::from_shape_vec(IxDyn(shape), values)?))
}

pub fn label((height, width): (usize, usize), values: Vec<u32>) -> Result<Array> {
    Ok(Array::Label(ArrayD::from_shape_vec(IxDyn(&[height, width]), values)?))
}

pub fn one(begin: Instant, array: Result<Array>) -> Result<Output> {
    let seconds = begin.elapsed();
    Ok((seconds, vec![("out".into(), array?)]))
}

/// Which of the original's ways a stage follows: version 4 reads the flows by `grid_sample`, has mended the
/// filter of small masks, and otherwise does the same.
pub fn like(question: &Value) -> Result<(Sampling, Compat)> {
    match question["like"].as_str() {
        None | Some("3") => Ok((Sampling::Bilinear, Compat::V3_1_1)),
        Some("3-cuda") => Ok((Sampling::GridSample, Compat::V3_1_1)),
        Some("4") => Ok((Sampling::GridSample, Compat::None)),
        Some(other) => bail!("there is no cellpose {other}"),
    }
}

pub fn niter(question: &Value) -> u32 {
    question["niter"].as_u64().unwrap_or(200) as u32
}

/// The precision of the network on a GPU.
pub fn precision(question: &Value) -> Result<Precision> {
    match question["precision"].as_str() {
        None | Some("f16") => Ok(Precision::F16),
        Some("f32") => Ok(Precision::F32),
        Some(other) => bail!("there is no precision {other}"),
    }
}
