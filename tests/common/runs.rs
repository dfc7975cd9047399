//! The golden runs of `CellposeModel.eval`: their images and options.

use flowmask::{Compat, Diameter, Image, Model, Normalize, Options, Sampling};
use ndarray::Array3;
use serde_json::Value;

use super::{Golden, data};

/// The runs with the weights `name`, as `tests/data/golden/pipeline_NAME.json` lists them.
pub fn list(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(data(&format!("golden/pipeline_{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The image of a run, which is named by the part of the tag before the first `_`.
pub fn image(golden: &Golden, tag: &str) -> Image {
    let array = golden.get(tag.split('_').next().unwrap());
    let channels = array.shape.get(2).copied().unwrap_or(1);
    let shape = (array.shape[0], array.shape[1], channels);
    match array.values.iter().any(|&v| v > 255.0) {
        true => Image::from_channels(
            Array3::from_shape_vec(shape, array.values.iter().map(|&v| v as u16).collect()).unwrap().view(),
        ),
        false => Image::from_channels(
            Array3::from_shape_vec(shape, array.values.iter().map(|&v| v as u8).collect()).unwrap().view(),
        ),
    }
    .unwrap()
}

/// The options of a run.
pub fn options(run: &Value, model: &Model) -> Options {
    let mut options = Options::default().compat(Compat::V3_1_1);
    for (name, value) in run.as_object().unwrap() {
        let number = value.as_f64().unwrap_or(f64::NAN);
        let flag = value.as_bool().unwrap_or_default();
        match name.as_str() {
            "tag" | "n" => {}
            "channels" => options.channels = [0, 1].map(|i| value[i].as_u64().unwrap() as usize),
            "diameter" if value.is_null() => options.diameter = Diameter::Pixels(model.diam_labels().into()),
            "diameter" => options.diameter = Diameter::Pixels(number),
            "resample" => options.resample = flag,
            "augment" => options.augment = flag,
            "invert" => options.normalize.invert = flag,
            "interp" if !flag => options.sampling = Sampling::Nearest,
            "niter" => options.niter = Some(number as u32),
            "flow_threshold" => options.flow_threshold = number,
            "cellprob_threshold" => options.cellprob_threshold = number as f32,
            "min_size" => options.min_size = number.max(0.0) as usize,
            "bsize" => options.bsize = number as usize,
            "tile_overlap" => options.tile_overlap = number,
            "normalize" => options.normalize = normalize(value),
            other => panic!("argument {other}"),
        }
    }
    options
}

fn normalize(dict: &Value) -> Normalize {
    let mut normalize = Normalize::default();
    for (name, value) in dict.as_object().unwrap() {
        let number = value.as_f64().unwrap_or(f64::NAN);
        match name.as_str() {
            "percentile" => normalize.percentile = [0, 1].map(|i| value[i].as_f64().unwrap()),
            "smooth_radius" => normalize.smooth_radius = number,
            "sharpen_radius" => normalize.sharpen_radius = number,
            "tile_norm_blocksize" => normalize.tile_norm_blocksize = number as usize,
            other => panic!("argument normalize[{other}]"),
        }
    }
    normalize
}
